// Reads alert rules and dashboards with the parsers of Prometheus and prints how many queries they hold, or what is wrong with them.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

type dashboard struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
}

func main() {
	failed := false
	wrong := func(where string, err error) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", where, err)
		failed = true
	}
	queries := 0
	for _, path := range os.Args[1:] {
		if !strings.HasSuffix(path, ".json") {
			groups, errors := rulefmt.ParseFile(path, false)
			for _, err := range errors {
				wrong(path, err)
			}
			if groups != nil {
				for _, group := range groups.Groups {
					queries += len(group.Rules)
				}
			}
			continue
		}
		var found dashboard
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &found)
		}
		if err != nil {
			wrong(path, err)
		}
		for _, panel := range found.Panels {
			for _, target := range panel.Targets {
				if target.Expr == "" {
					continue
				}
				queries++
				// Grafana's own interval is no part of PromQL.
				if _, err := parser.ParseExpr(strings.ReplaceAll(target.Expr, "$__rate_interval", "1m")); err != nil {
					wrong(path+", "+panel.Title, err)
				}
			}
		}
	}
	if failed {
		os.Exit(1)
	}
	fmt.Printf("well formed: %d queries of Prometheus\n", queries)
}
