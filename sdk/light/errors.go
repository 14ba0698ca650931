package light

import "errors"

// Errors. A bad certificate or suffix wraps types.ErrBadCertificate, a bad Merkle path types.ErrBadProof, a set that is not
// usable types.ErrBadSet, and state that cannot be read types.ErrMalformed.
var (
	ErrFrozen       = errors.New("light client: frozen, since two proofs conflict; people have to decide which chain goes on")
	ErrExpired      = errors.New("light client: the signers are no longer bound by what they sign; a new checkpoint is needed")
	ErrFuture       = errors.New("light client: the block's slot has not come yet")
	ErrChain        = errors.New("light client: the block is of another chain")
	ErrEpoch        = errors.New("light client: the epoch's set is not known")
	ErrSet          = errors.New("light client: this is not the set that was named")
	ErrNotClosing   = errors.New("light client: the block does not close its epoch")
	ErrOrder        = errors.New("light client: height and slot do not fit into the epoch")
	ErrSuffix       = errors.New("light client: the block comes after the closing block of its epoch and is no part of the chain")
	ErrConflict     = errors.New("light client: the block is certified, and so is another that excludes it; hand both to Conflict")
	ErrNoConflict   = errors.New("light client: the two proofs do not exclude one another")
	ErrNotAncestor  = errors.New("light client: the header does not lie below the one that is proven")
	ErrForeignItem  = errors.New("light client: an item of another module than the one that was asked")
	ErrRepeatedItem = errors.New("light client: an item is there twice")
	ErrCheckpoint   = errors.New("light client: the checkpoint is not usable")
	ErrScheme       = errors.New("light client: the certificate's scheme is unknown")
	ErrDoubleScheme = errors.New("light client: two schemes have the same number")
)
