package record

// FormatName is a format as it is usually written: SafeTensors for safetensors,
// SLLM for sllm, and others unchanged.
func FormatName(format string) string {
	switch format {
	case "sllm":
		return "SLLM"
	case "safetensors":
		return "SafeTensors"
	}
	return format
}
