package prophecy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/oracle/observe"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/oracle/oracletest"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// voting opens an instance as a producer's host would.
func voting(dir string, observer map[string]any) (*Oracle, error) {
	cfg, err := json.Marshal(observer)
	if err != nil {
		return nil, err
	}
	v, err := Plugin().Open(context.Background(), newHost(), plugin.OpenRequest{Kind: plugin.Oracle, ChainID: voterChain[:], ChainName: "test", Rules: rulesVersion,
		Genesis: []byte(`{"format":1,"slot_ms":500}`), Config: cfg, DataDir: dir, Producer: plugin.EncodeProducer(voterKey(0))})
	if err != nil {
		return nil, err
	}
	return v.(*Oracle), nil
}

func votingObservers(t *testing.T, observer map[string]any) oracletest.Factory {
	return oracletest.Factory{
		Questions: []oracle.Question{{ID: [32]byte{1}, Text: "Is it so?"}, {ID: [32]byte{2}, Text: "Will it be so?", Sources: []string{"https://example.org"}}},
		Open: func() (oracletest.Instance, error) {
			o, err := voting(t.TempDir(), observer)
			if err != nil {
				return oracletest.Instance{}, err
			}
			return oracletest.Instance{Observer: o, Close: o.Close}, nil
		},
	}
}

func TestVotersConform(t *testing.T) {
	for name, observer := range map[string]map[string]any{
		"none":              {},
		"manual":            {attrObserver: observe.Manual},
		"command":           {attrObserver: observe.Command, attrCommand: []string{"/bin/sh", "-c", "echo YES"}},
		"command that ends": {attrObserver: observe.Command, attrCommand: []string{"/bin/sh", "-c", "exit 1"}},
		"http":              {attrObserver: observe.HTTP, attrURLs: []string{"http://127.0.0.1:1/{id}"}, attrPath: []string{"$"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Run("local", func(t *testing.T) { oracletest.Run(t, votingObservers(t, observer)) })
			t.Run("remote", func(t *testing.T) { oracletest.Run(t, oracletest.Remote(votingObservers(t, observer))) })
		})
	}
}

func TestABadProducerIsRefused(t *testing.T) {
	_, err := Plugin().Open(t.Context(), nil, plugin.OpenRequest{Kind: plugin.Oracle, ChainID: voterChain[:], Genesis: []byte(`{"slot_ms":500}`), Producer: []byte{1, 2}})
	if !errors.Is(err, plugin.ErrBadConfig) {
		t.Fatalf("%v, want ErrBadConfig", err)
	}
}

func TestAnInstanceThatDoesNotVoteSaysSo(t *testing.T) {
	o := New(voterChain, oracle.Terms{TickNs: 1})
	if _, err := o.SignBallot(t.Context(), [32]byte{}); !errors.Is(err, oracle.ErrNoBelief) {
		t.Error(err)
	}
	if list, err := o.Observations(t.Context()); err != nil || list != nil {
		t.Errorf("%v, %v", list, err)
	}
	if b, err := o.Extend(t.Context(), 1, nil); b != nil || err != nil {
		t.Errorf("%x, %v", b, err)
	}
}

// TestAQueryShowsTheDispute to the voter of a node that makes no blocks, and so is never asked to extend one.
func TestAQueryShowsTheDispute(t *testing.T) {
	o, err := voting(t.TempDir(), map[string]any{attrObserver: observe.Manual})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	d := disputeOf(1, oracle.Commit)
	id := d.dispute.ID
	if err := o.Believe(t.Context(), id, oracle.Belief{Value: oracle.Yes}); err != nil {
		t.Fatal(err)
	}
	if _, err := o.SignBallot(t.Context(), id); !errors.Is(err, oracle.ErrNothingDue) {
		t.Fatalf("%v, want ErrNothingDue", err)
	}
	if _, err := o.queryQuestion(t.Context(), fmt.Sprintf("%x", id), newState().put(d)); err != nil {
		t.Fatal(err)
	}
	b, err := o.SignBallot(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := oracle.DecodeCarried(b); err != nil || c.Verify(voterChain) != nil {
		t.Errorf("%+v, %v", c, err)
	}
}
