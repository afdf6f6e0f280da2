//! Links between processes: framed, authenticated and encrypted.
