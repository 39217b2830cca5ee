module deploytag.dev/sandbox/pause

go 1.26
