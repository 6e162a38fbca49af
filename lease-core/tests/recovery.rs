//! What recovery does to the users of a lockspace that fails or is removed: signals, programs, and what clients restrict.
