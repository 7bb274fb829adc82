//! The forms of a plan: what people read, what programs read, and the shell script.

mod json;
mod sh;
mod text;
