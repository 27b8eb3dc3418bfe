module filch-bench-go

go 1.19
