//! Discovery, safety gates, enablement, slots, snapshot, owner maps, activation plan. Runs no plugin.
