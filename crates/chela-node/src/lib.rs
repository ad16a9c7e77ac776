//! The node lane: worker supervision, callback handles, TypeScript compilation, the embedded SDK, the managed Node.
