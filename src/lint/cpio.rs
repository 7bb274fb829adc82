//! Archives of cpio's `newc` form, as the kernel unpacks them: several behind each other,
//! with zeros between.

use std::io::{self, Read};
use std::ops::Range;

use cpio::newc::Reader;

/// The fixed part of a member, and where in it the length of the name stands.
const HEADER_BYTES: usize = 110;
const NAME_SIZE: Range<usize> = 94..102;

/// As long as a name in the archive may be.
const NAME_BYTES: u64 = 4096;
/// As much as an archive may unpack to.
const MOST_BYTES: u64 = 16 << 30;

/// A member of an archive.
pub struct Member {
    pub name: String,
    pub mode: u32,
    pub size: u64,
}

/// Who gets the members.
pub trait Sink {
    /// Whether the content of this one is wanted, too.
    fn wants(&self, member: &Member) -> bool;
    fn member(&mut self, member: Member, content: Option<Vec<u8>>);
}

/// What comes after the archives.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    End,
    /// Something else, which begins with these bytes at this offset.
    Other(Vec<u8>, u64),
}

/// Reads archives until something else comes.
///
/// # Errors
/// When the input cannot be read, ends early, or a field is not what it has to be.
pub fn read(input: impl Read, sink: &mut dyn Sink) -> io::Result<Next> {
    let mut input = input.take(MOST_BYTES);
    let mut complete = true;
    loop {
        let mut header = [0; HEADER_BYTES];
        let (first, rest) = header.split_at_mut(1);
        while first == [0] {
            match (input.read(first)?, complete) {
                (0, true) => return Ok(Next::End),
                (0, false) => return Err(broken("it ends in the middle of a file")),
                _ => {}
            }
        }
        let start = MOST_BYTES - input.limit() - 1;
        let (magic, rest) = rest.split_at_mut(5);
        input.read_exact(magic)?;
        let magic = [first, magic].concat();
        if magic != b"070701" && magic != b"070702" {
            return Ok(Next::Other(magic, start));
        }
        input.read_exact(rest)?;
        let name_size = header.get(NAME_SIZE).unwrap_or_default();
        let name_size = std::str::from_utf8(name_size).unwrap_or_default();
        if !u64::from_str_radix(name_size, 16).is_ok_and(|size| size <= NAME_BYTES) {
            return Err(broken("a name has an impossible length"));
        }
        complete = member(Reader::new(header.chain(&mut input))?, sink)?;
    }
}

/// Reads a member, and says whether it ends the archive.
fn member(mut reader: Reader<impl Read>, sink: &mut dyn Sink) -> io::Result<bool> {
    let entry = reader.entry();
    let name = entry
        .name()
        .trim_start_matches("./")
        .trim_start_matches('/');
    let member = Member {
        name: name.to_owned(),
        mode: entry.mode(),
        size: entry.file_size().into(),
    };
    let is_last = entry.is_trailer();
    let mut content = None;
    if !is_last && sink.wants(&member) {
        let content = content.insert(Vec::new());
        if reader.read_to_end(content)? as u64 != member.size {
            return Err(broken("it ends in the middle of a file"));
        }
    }
    reader.finish()?;
    if !is_last {
        sink.member(member, content);
    }
    Ok(is_last)
}

fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
