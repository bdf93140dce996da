//! The HTTP surfaces of Hufu.
