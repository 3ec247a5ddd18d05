package tokenizer

import (
	"path/filepath"
	"strings"
	"testing"
)

// benchTexts returns texts of about 64 KiB.
func benchTexts() map[string]string {
	const english = "The reader asked for sixteen megabytes; the drive gave them back before the clock could tick twice. It's 2024.\n"
	const mixed = "Müller aß im Café. Быстрая лиса читает файл. 模型从磁盘加载到内存。モデル 모델 x = y[i] + 0x1F; // 😀\n"
	return map[string]string{
		"english": strings.Repeat(english, 64<<10/len(english)),
		"mixed":   strings.Repeat(mixed, 64<<10/len(mixed)),
		"word":    strings.Repeat("reader", 64<<10/6),
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, dir := range fixtures(b) {
		tok := mustOpen(b, dir)
		for name, text := range benchTexts() {
			b.Run(filepath.Base(dir)+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := tok.Encode(text, true); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, dir := range fixtures(b) {
		tok := mustOpen(b, dir)
		text := benchTexts()["mixed"]
		ids, err := tok.Encode(text, true)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(filepath.Base(dir), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				tok.Decode(ids, true)
			}
		})
	}
}
