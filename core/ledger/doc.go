// Package ledger is the state machine of a chain: who may do what, who pays, which module computes, and that no token
// appears or vanishes.
//
// A block's transactions are judged twice. [Ledger.Authorise] decides on the state of the parent whether the block is
// valid at all: every transaction satisfies the permission that it names, and its account covers max_fee and the sum of
// max_spend, debited in order. [Ledger.Execute] then computes what the block does, module by module in the order of
// the genesis document, and can no longer fail for a reason that lies in a transaction: a transaction fails with a
// receipt and pays its fee; a module whose answer breaks a guarantee has the results of its whole group dropped. Scheduled
// work is nobody's to lose by that: it is executed without the transactions, in smaller parts until the module answers
// legally, and what cannot be executed waits, longer each time.
//
// Balances are the ledger's own items; a module returns transfers and never sees a balance. Legal sources are the signer
// of the transaction, up to the action's max_spend, and the escrow that lies with one of the module's own items. After
// every block: the sum of all balances and escrows is the genesis supply.
//
// The package is pure but for reads of the state and calls of modules; both come in as interfaces.
package ledger
