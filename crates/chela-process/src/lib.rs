//! Child processes that never outlive the gateway: the guard, process trees, memory readings.
