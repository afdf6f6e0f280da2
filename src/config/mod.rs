//! Reading the configuration files of a directory.
