package plugin

// Schema describes the attributes of a plugin's block in a chain spec.
type Schema struct{ Attributes []Attribute }

// AttrType is the type of an attribute.
type AttrType string

// The types. In OpenRequest.Config a duration is a number of nanoseconds, a size a number of bytes, an amount a number
// of the smallest unit.
const (
	String     AttrType = "string"
	Number     AttrType = "number" // integer
	Bool       AttrType = "bool"
	Duration   AttrType = "duration"
	Size       AttrType = "size"
	Amount     AttrType = "amount"
	StringList AttrType = "list(string)"
)

// Attribute is one setting. Default, Min and Max are JSON in the form that Config has; empty means none.
type Attribute struct {
	Name              string
	Type              AttrType
	Required          bool
	Default           string
	ConsensusCritical bool // part of the chain's identity; otherwise local to a node
	Description       string
	OneOf             []string
	Min, Max          string
	// Governed makes the attribute of a plugin with a module face a parameter of the chain: the chain spec gives its first
	// value, a vote or an authority may change it at the end of an epoch, and module.Block.Params has the value in force. It
	// must be consensus-critical, and of type bool, number, duration, size or amount, or a string with OneOf. Step, JSON like
	// Min, bounds how much it may change at once; empty means that any change within Min and Max will do.
	Governed bool
	Step     string
}

// Find returns the attribute with a name.
func (s Schema) Find(name string) (Attribute, bool) {
	for _, a := range s.Attributes {
		if a.Name == name {
			return a, true
		}
	}
	return Attribute{}, false
}
