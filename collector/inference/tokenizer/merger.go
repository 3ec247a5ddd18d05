package tokenizer

// merger merges the tokens of one piece. Tokens form a linked list and the pairs
// that can merge form a heap, so that n tokens take O(n log n) time.
type merger struct {
	symbols []symbol
	queue   []candidate
}

// symbol is a token of the piece.
type symbol struct {
	id         int32 // none if it was merged into the one before it
	prev, next int32 // -1 at the ends
}

// candidate is a pair that can merge. Candidates are ordered by rank, then from
// left to right.
type candidate struct {
	merge mergeTo
	at    int32 // the left symbol
	right int32 // the ID of the right symbol when queued
	left  int32 // the ID of the left symbol when queued
}

func (c candidate) before(d candidate) bool {
	return c.merge.rank < d.merge.rank || c.merge.rank == d.merge.rank && c.at < d.at
}

func (w *merger) reset() {
	w.symbols, w.queue = w.symbols[:0], w.queue[:0]
}

// add appends a token to the piece.
func (w *merger) add(id int32) {
	at := int32(len(w.symbols))
	w.symbols = append(w.symbols, symbol{id: id, prev: at - 1, next: at + 1})
}

// merge merges pairs until none can merge.
func (w *merger) merge(merges map[pair]mergeTo) {
	n := len(w.symbols)
	if n < 2 {
		return
	}
	w.symbols[n-1].next = -1
	for i := range n - 1 {
		w.consider(merges, int32(i))
	}
	for len(w.queue) > 0 {
		c := w.pop()
		left := &w.symbols[c.at]
		if left.id != c.left || left.next < 0 || w.symbols[left.next].id != c.right {
			continue // one of the two has been merged with another
		}
		right := &w.symbols[left.next]
		left.id, left.next, right.id = c.merge.id, right.next, none
		if left.next >= 0 {
			w.symbols[left.next].prev = c.at
			w.consider(merges, c.at)
		}
		if left.prev >= 0 {
			w.consider(merges, left.prev)
		}
	}
}

// appendIDs appends the remaining tokens to ids.
func (w *merger) appendIDs(ids []int32) []int32 {
	for _, s := range w.symbols {
		if s.id != none {
			ids = append(ids, s.id)
		}
	}
	return ids
}

// consider queues a symbol and the next one, if they can merge.
func (w *merger) consider(merges map[pair]mergeTo, at int32) {
	left := w.symbols[at]
	right := w.symbols[left.next].id
	to, ok := merges[pair{left.id, right}]
	if !ok {
		return
	}
	w.push(candidate{merge: to, at: at, left: left.id, right: right})
}

// push and pop maintain the heap. Package container/heap would allocate for each
// element.
func (w *merger) push(c candidate) {
	w.queue = append(w.queue, c)
	i := len(w.queue) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !c.before(w.queue[up]) {
			break
		}
		w.queue[i] = w.queue[up]
		i = up
	}
	w.queue[i] = c
}

func (w *merger) pop() candidate {
	top := w.queue[0]
	last := len(w.queue) - 1
	c := w.queue[last]
	w.queue = w.queue[:last]
	if last == 0 {
		return top
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= last {
			break
		}
		if down+1 < last && w.queue[down+1].before(w.queue[down]) {
			down++
		}
		if !w.queue[down].before(c) {
			break
		}
		w.queue[i] = w.queue[down]
		i = down
	}
	w.queue[i] = c
	return top
}
