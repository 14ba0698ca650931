package chainspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sort"
)

// maxDepth bounds the nesting of JSON that strangers send.
const maxDepth = 32

// canonicalObject checks that raw is one JSON object without fractions, repeated keys or numbers beyond 64 bits, and returns
// it without white space and with sorted keys. Nothing at all stands for the empty object.
func canonicalObject(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 {
		return json.RawMessage("{}"), nil
	}
	if err := checkDepth(raw); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if t, err := d.Token(); err != nil {
		return nil, err
	} else if t != json.Delim('{') {
		return nil, errors.New("it must be a JSON object")
	}
	var out bytes.Buffer
	if err := canonicalMembers(d, &out); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON object")
	}
	return out.Bytes(), nil
}

// canonicalMembers writes the rest of an object whose brace has been read.
func canonicalMembers(d *json.Decoder, out *bytes.Buffer) error {
	members := map[string][]byte{}
	var keys []string
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return fmt.Errorf("%v is no key", t)
		}
		if _, ok := members[key]; ok {
			return fmt.Errorf("the key %q is there twice", key)
		}
		var v bytes.Buffer
		if err := canonicalValue(d, &v); err != nil {
			return err
		}
		members[key] = v.Bytes()
		keys = append(keys, key)
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	sort.Strings(keys)
	out.WriteByte('{')
	for i, k := range keys {
		if i > 0 {
			out.WriteByte(',')
		}
		writeString(out, k)
		out.WriteByte(':')
		out.Write(members[k])
	}
	out.WriteByte('}')
	return nil
}

func canonicalValue(d *json.Decoder, out *bytes.Buffer) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch v := t.(type) {
	case json.Delim:
		if v == '{' {
			return canonicalMembers(d, out)
		}
		out.WriteByte('[')
		for i := 0; d.More(); i++ {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := canonicalValue(d, out); err != nil {
				return err
			}
		}
		out.WriteByte(']')
		_, err := d.Token()
		return err
	case json.Number:
		return canonicalNumber(v, out)
	case string:
		writeString(out, v)
	case bool:
		fmt.Fprint(out, v)
	default:
		return errors.New("null is not allowed; leave the setting out")
	}
	return nil
}

// canonicalNumber writes an integer. What has a fraction or an exponent is refused, even if its value is whole: there
// must be one way to write a number.
func canonicalNumber(n json.Number, out *bytes.Buffer) error {
	for _, c := range n {
		if (c < '0' || c > '9') && c != '-' {
			return fmt.Errorf("%s is no integer", n)
		}
	}
	if len(n) > 20 {
		return fmt.Errorf("%s does not fit in 64 bits", n)
	}
	v, ok := new(big.Int).SetString(n.String(), 10)
	if !ok || !v.IsInt64() && !v.IsUint64() {
		return fmt.Errorf("%s does not fit in 64 bits", n)
	}
	out.WriteString(v.String())
	return nil
}

// writeString writes a JSON string the way encoding/json does without HTML escapes.
func writeString(out *bytes.Buffer, s string) {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if e.Encode(s) == nil {
		out.Truncate(out.Len() - 1) // the encoder ends with a line feed
	}
}

// checkDepth refuses JSON that is nested more deeply than maxDepth.
func checkDepth(b []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("nested more than %d deep", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}
