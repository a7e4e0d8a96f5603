package wire

// Limits on input. The size of a body is the caller's to limit.
const (
	// maxDepth is the deepest nesting of a JSON document; no supported model needs more than 8.
	maxDepth = 32
	// maxPairs is the largest number of parameters of a form: 200 tags and every other list at its limit fit many times.
	maxPairs = 4096
	// maxKey is the longest name of a form parameter in bytes.
	maxKey = 512
	// maxFailures is how many violations a message spells out; all are counted.
	maxFailures = 64
	// maxShown is how much of a refused value a message repeats, in bytes.
	maxShown = 1024
)
