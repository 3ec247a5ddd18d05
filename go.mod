module github.com/sllmq/sllmq

go 1.26
