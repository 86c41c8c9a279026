// Reads a Compose file with the parser of Docker Compose and prints its services, or what is wrong with it.
package main

import (
	"context"
	"fmt"
	"os"
	"sort"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	options, err := cli.NewProjectOptions(os.Args[1:], cli.WithName("stillwatch"), cli.WithDefaultProfiles("*"))
	if err == nil {
		project, failure := options.LoadProject(context.Background())
		if err = failure; err == nil {
			names := project.ServiceNames()
			sort.Strings(names)
			fmt.Printf("well formed: %v\n", names)
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
