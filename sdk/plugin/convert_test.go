package plugin

import (
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/plugin/v1"
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
		Schema: Schema{Attributes: []Attribute{full, {Name: "plain", Type: Bool}}}}}}
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
