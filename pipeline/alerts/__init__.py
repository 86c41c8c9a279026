"""From changes of incidents to messages: what is told (`notice`), when (`pace`), in what form (`targets`), and surely."""
