//! Worlds without time.
