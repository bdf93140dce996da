//! The use cases, through the public surface, on both database engines.

mod apply;
