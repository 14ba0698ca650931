package lang

import "encoding/binary"

const cellBytes = 8

// dataWords work on the data space while compiling. What it holds then, it holds when a run begins.
func dataWords() map[string]func(*compiler, token) error {
	words := map[string]func(*compiler, token) error{
		"variable":  func(c *compiler, t token) error { return c.reserved(t, cellBytes) },
		"2variable": func(c *compiler, t token) error { return c.reserved(t, 2*cellBytes) },
		"create":    func(c *compiler, t token) error { return c.reserved(t, 0) },
		"here":      func(c *compiler, t token) error { return c.push(t, value{v: c.here}) },
		"align": func(c *compiler, t token) error {
			if err := c.outside(t, false); err != nil {
				return err
			}
			return c.allot(t, -c.here&(cellBytes-1))
		},
		",":  func(c *compiler, t token) error { return c.store(t, cellBytes) },
		"c,": func(c *compiler, t token) error { return c.store(t, 1) },
		"s,": func(c *compiler, t token) error {
			v, err := c.compileTime(t, "bytes", true)
			if err != nil {
				return err
			}
			return c.append(t, v.b)
		},
		"allot": func(c *compiler, t token) error {
			v, err := c.compileTime(t, "a number", false)
			if err != nil {
				return err
			}
			if v.v < 0 {
				return c.fail(t, "allot takes a number of 0 or more, not %d", v.v)
			}
			return c.allot(t, v.v)
		},
	}
	for name, f := range map[string]func(int64) (int64, string){
		"cells": func(n int64) (int64, string) { return n * cellBytes, "8 *" },
		"cell+": func(n int64) (int64, string) { return n + cellBytes, "8 +" },
		"char+": func(n int64) (int64, string) { return n + 1, "1+" },
	} {
		words[name] = func(c *compiler, t token) error {
			if c.evidence && c.def == nil {
				return c.literalsOnly(t)
			}
			const small = 1 << 32 // far from overflow, which is for the run to find
			o := c.out()
			if v, ok := o.take(); ok {
				if n, _ := f(v.v); v.b == nil && -small < v.v && v.v < small {
					c.out().literal(value{v: n})
					return nil
				}
				c.out().literal(v)
			}
			_, code := f(0)
			o = c.out()
			o.Code = append(o.Code, ops(code)...)
			return nil
		}
	}
	return words
}

// reserved names an address, and keeps n bytes from there.
func (c *compiler) reserved(t token, n int64) error {
	if err := c.outside(t, false); err != nil {
		return err
	}
	name, err := c.newName(t)
	if err != nil {
		return err
	}
	if n > 0 {
		if c.variables++; int64(c.variables) > c.lim.Variables {
			return c.fail(name, "more than %d variables", c.lim.Variables)
		}
	}
	at := c.here
	if err := c.allot(name, n); err != nil {
		return err
	}
	c.define(name, entry{kind: isConstant, v: value{v: at}})
	return nil
}

func (c *compiler) allot(t token, n int64) error {
	if n > c.lim.DataBytes-c.here {
		return c.fail(t, "the data space has %d bytes, and %d are taken", c.lim.DataBytes, c.here)
	}
	c.here += n
	return nil
}

// compileTime takes back the literal before a word that works while compiling.
func (c *compiler) compileTime(t token, what string, bytes bool) (value, error) {
	if err := c.outside(t, false); err != nil {
		return value{}, err
	}
	v, ok := c.out().take()
	if !ok || (v.b != nil) != bytes {
		return v, c.fail(t, "%s works while compiling, and wants %s written right before it", t.text, what)
	}
	return v, nil
}

// store adds an integer to the data.
func (c *compiler) store(t token, size int) error {
	v, err := c.compileTime(t, "a number", false)
	if err != nil {
		return err
	}
	if size == 1 && (v.v < 0 || v.v > 0xff) {
		return c.fail(t, "c, takes 0 to 255, not %d", v.v)
	}
	return c.append(t, binary.LittleEndian.AppendUint64(nil, uint64(v.v))[:size])
}

func (c *compiler) append(t token, b []byte) error {
	at := c.here
	if err := c.allot(t, int64(len(b))); err != nil {
		return err
	}
	if int64(len(c.data)) < at {
		c.data = append(c.data, make([]byte, at-int64(len(c.data)))...)
	}
	c.data = append(c.data[:at], b...)
	return nil
}
