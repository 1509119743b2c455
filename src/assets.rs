//! What the binary carries: the demo model and the demo data.
