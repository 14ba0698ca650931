package chain

import "github.com/paloalto-chain/paloalto/chainspec"

// Fees returns the price list of the next block. It may change with every epoch.
func (c *Chain) Fees() chainspec.Fees { return c.cfg.Ledger.Fees() }
