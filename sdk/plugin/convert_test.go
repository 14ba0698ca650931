package plugin

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/plugin/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestInfoCrossesTheWire sets every field of a description, so that one that is forgotten on the way shows.
func TestInfoCrossesTheWire(t *testing.T) {
	full := Attribute{Name: "bond", Type: Amount, Required: true, Default: "5", ConsensusCritical: true, Description: "how much",
		OneOf: []string{"5", "6"}, Min: "1", Max: "9", Governed: true, Step: "2"}
	v := reflect.ValueOf(full)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Fatalf("the test leaves %s out", v.Type().Field(i).Name)
		}
	}
	info := Info{Name: "market", Version: "1.2.3", API: API, Kinds: []KindInfo{{Kind: Module, Rules: []string{"2", "1"}, HasModule: true,
		Schema: Schema{Attributes: []Attribute{full, {Name: "plain", Type: Bool}}}, Exports: []string{"\x00\xff", "a/"}}}}
	for _, whole := range []reflect.Value{reflect.ValueOf(info), reflect.ValueOf(info.Kinds[0])} {
		for i := range whole.NumField() {
			if whole.Field(i).IsZero() {
				t.Fatalf("the test leaves %s out", whole.Type().Field(i).Name)
			}
		}
	}
	b, err := proto.Marshal(info.ToProto())
	if err != nil {
		t.Fatal(err)
	}
	m := new(pluginv1.DescribeResponse)
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	got, err := InfoFromProto(m)
	if err != nil || !reflect.DeepEqual(got, info) {
		t.Fatalf("%v\n got %+v\nwant %+v", err, got, info)
	}
}

func describe(k *pluginv1.KindInfo) *pluginv1.DescribeResponse {
	return &pluginv1.DescribeResponse{Name: "market", ApiMin: 1, ApiMax: 1, Kinds: []*pluginv1.KindInfo{k}}
}

func TestExportsAreChecked(t *testing.T) {
	many := make([][]byte, MaxExports+1)
	for i := range many {
		many[i] = []byte{byte(i), 0}
	}
	long := bytes.Repeat([]byte{1}, MaxExportBytes+1)
	for name, c := range map[string]struct {
		kind    Kind
		face    bool
		exports [][]byte
		err     string
	}{
		"none":                  {kind: Storage},
		"as many as there may":  {kind: Module, exports: many[:MaxExports]},
		"as long as one may be": {kind: Module, exports: [][]byte{long[:MaxExportBytes]}},
		"of a module face":      {kind: Consensus, face: true, exports: [][]byte{[]byte("a")}},
		"no UTF-8":              {kind: Module, exports: [][]byte{{0}, {0xff, 0xfe}}},
		"without a face":        {kind: Consensus, exports: [][]byte{[]byte("a")}, err: "without a module face"},
		"too many":              {kind: Module, exports: many, err: "65 exported prefixes, more than 64"},
		"too long":              {kind: Module, exports: [][]byte{long}, err: "of 65 bytes"},
		"everything":            {kind: Module, exports: [][]byte{{}}, err: "of 0 bytes"},
		"twice":                 {kind: Module, exports: [][]byte{[]byte("a"), []byte("a")}, err: "must ascend"},
		"falling":               {kind: Module, exports: [][]byte{[]byte("b"), []byte("a")}, err: "must ascend"},
		"one within another":    {kind: Module, exports: [][]byte{[]byte("a"), []byte("ab")}, err: "none may begin with another"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := InfoFromProto(describe(&pluginv1.KindInfo{Kind: string(c.kind), HasModule: c.face, Exports: c.exports}))
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("got %v, want %q", err, c.err)
			}
		})
	}
}

func TestExported(t *testing.T) {
	k := KindInfo{Kind: Module, Exports: []string{"a/", "b"}}
	for key, want := range map[string]bool{"a/": true, "a/x": true, "a": false, "b": true, "bc": true, "": false, "c": false} {
		if k.Exported(key) != want {
			t.Errorf("%q: %v", key, !want)
		}
	}
	if (KindInfo{}).Exported("") {
		t.Error("nothing exports something")
	}
}

// FuzzInfoFromProto: whatever is accepted is within the limits and crosses the wire unchanged.
func FuzzInfoFromProto(f *testing.F) {
	for _, k := range []*pluginv1.KindInfo{
		{Kind: "module", Rules: []string{"1"}, Exports: [][]byte{[]byte("a"), {0xff}}, Schema: &pluginv1.Schema{Attributes: []*pluginv1.Attribute{{Name: "x"}}}},
		{Kind: "storage", Exports: [][]byte{{}}},
	} {
		b, err := proto.Marshal(describe(k))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(pluginv1.DescribeResponse)
		if proto.Unmarshal(b, m) != nil {
			return
		}
		info, err := InfoFromProto(m)
		if err != nil {
			return
		}
		for _, k := range info.Kinds {
			if len(k.Exports) > MaxExports || k.Exported("") {
				t.Fatalf("exports %q", k.Exports)
			}
		}
		again, err := InfoFromProto(info.ToProto())
		if err != nil || !reflect.DeepEqual(again.ToProto().String(), info.ToProto().String()) {
			t.Fatalf("%v: %+v becomes %+v", err, info, again)
		}
	})
}

// TestOpenRequestCrossesTheWire sets every field, so that one that is forgotten on the way shows.
func TestOpenRequestCrossesTheWire(t *testing.T) {
	key := types.PublicKey{Scheme: types.SchemeEd25519, Key: bytes.Repeat([]byte{7}, 32)}
	req := OpenRequest{Kind: Module, ChainID: make([]byte, 32), ChainName: "main", Config: []byte("{}"), Rules: "1", DataDir: "/d", Genesis: []byte("g"),
		Handle: 5, Producer: EncodeProducer(key)}
	v := reflect.ValueOf(req)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Fatalf("the test leaves %s out", v.Type().Field(i).Name)
		}
	}
	got := openFromProto(req.toProto())
	if !reflect.DeepEqual(got, req) {
		t.Fatalf("\n got %+v\nwant %+v", got, req)
	}
	back, err := DecodeProducer(got.Producer)
	if err != nil || !reflect.DeepEqual(back, key) {
		t.Fatalf("%+v, %v", back, err)
	}
	for name, b := range map[string][]byte{"none": nil, "no key": {1}, "of no scheme": append([]byte{9}, key.Key...), "short": EncodeProducer(key)[:32]} {
		if _, err := DecodeProducer(b); !errors.Is(err, ErrBadConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// whole is a plugin that opens anything.
type whole struct{ Plugin }

func (whole) Describe() Info {
	return Info{Name: "whole", API: API, Kinds: []KindInfo{{Kind: Module}}}
}
func (whole) Open(context.Context, Host, OpenRequest) (any, error) { return 1, nil }

func TestProducerIsBounded(t *testing.T) {
	s := NewServer(whole{}, nil)
	for n, legal := range map[int]bool{0: true, 1: false, 33: true, maxProducerBytes: true, maxProducerBytes + 1: false} {
		_, err := s.open(t.Context(), OpenRequest{Kind: Module, Producer: make([]byte, n)})
		if (err == nil) != legal || !legal && !errors.Is(err, ErrBadConfig) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
