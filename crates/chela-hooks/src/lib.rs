//! The one hook dispatcher: order, merge, budgets, outcomes, counters.
