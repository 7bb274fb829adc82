//! An image.
