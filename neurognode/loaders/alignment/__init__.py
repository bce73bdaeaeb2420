"""From a recording to `Trials`: windows, exact bins, masks, queries, inputs."""
