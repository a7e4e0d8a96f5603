package awsapi

import "github.com/rolecall/rolecall/internal/awsapi/wire"

// The model's vocabulary lives with the protocols; generated packages name it through these aliases.
type (
	// Operation is one operation of a service.
	Operation = wire.Operation
	// API is a service: protocol, version, and every operation its model knows.
	API = wire.API
	// KnownOperation is an operation of the model, implemented or not.
	KnownOperation = wire.KnownOperation
	// Shape is a type of a model: wire form and constraints.
	Shape = wire.Shape
	// Member is a field of a structure.
	Member = wire.Member
	// Protocol is a wire protocol.
	Protocol = wire.Protocol
)
