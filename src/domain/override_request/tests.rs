//! The override request's rules.
