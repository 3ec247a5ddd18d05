package queries

import (
	"fmt"

	"github.com/sllmq/sllmq/warehouse/record"
)

// Block is the part of a summary whose rows are comparable: those that differ in
// format and loader only.
type Block struct {
	record.Arm // without format and loader
	Rows       []SummaryRow
}

// Blocks divides a summary into blocks. Rows of one block follow each other, as
// Summary returns them.
func Blocks(rows []SummaryRow) []Block {
	var blocks []Block
	for _, r := range rows {
		common := r.Arm
		common.Format, common.Loader = "", ""
		if last := len(blocks) - 1; last < 0 || blocks[last].Arm != common {
			blocks = append(blocks, Block{Arm: common})
		}
		b := &blocks[len(blocks)-1]
		b.Rows = append(b.Rows, r)
	}
	return blocks
}

// Conditions says how, by what and where the model was loaded.
func (b Block) Conditions() string {
	return fmt.Sprintf("%s, to %s by %s on %s", b.BenchmarkType, b.Device, b.Engine, b.Machine)
}
