//! Archives of cpio's `newc` form, as the kernel unpacks them: several behind each other,
//! with zeros between.

use std::io::{self, Read};

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
    Other([u8; 6], u64),
}

/// Reads archives until something else comes.
///
/// # Errors
/// When the input cannot be read, ends early, or a field is not what it has to be.
pub fn read(input: &mut dyn Read, sink: &mut dyn Sink) -> io::Result<Next> {
    let mut at = 0u64;
    loop {
        let mut magic = [0; 6];
        let (first, rest) = magic.split_at_mut(1);
        while first == [0] {
            if input.read(first)? == 0 {
                return Ok(Next::End);
            }
            at += 1;
        }
        input.read_exact(rest)?;
        if &magic != b"070701" && &magic != b"070702" {
            return Ok(Next::Other(magic, at - 1));
        }
        at += 5 + member(input, sink)?;
        if at > MOST_BYTES {
            return Err(broken("it unpacks to more than 16 GiB"));
        }
    }
}

/// Reads what comes after the magic number, and says how many bytes that was.
fn member(input: &mut dyn Read, sink: &mut dyn Sink) -> io::Result<u64> {
    let mut header = [0; 104];
    input.read_exact(&mut header)?;
    let field = |index: usize| -> io::Result<u32> {
        let text = header.get(index * 8..index * 8 + 8);
        let text = text.and_then(|text| std::str::from_utf8(text).ok());
        text.and_then(|text| u32::from_str_radix(text, 16).ok())
            .ok_or_else(|| broken("a field of a header is no number"))
    };
    let (mode, size, name_size) = (field(1)?, u64::from(field(6)?), u64::from(field(11)?));
    if name_size == 0 || name_size > NAME_BYTES {
        return Err(broken("a name has an impossible length"));
    }
    let mut name = Vec::new();
    input.take(name_size).read_to_end(&mut name)?;
    let name: Vec<u8> = name.into_iter().take_while(|byte| *byte != 0).collect();
    // The magic number belongs to what is aligned.
    let name_padding = (4 - (6 + 104 + name_size) % 4) % 4;
    skip(input, name_padding)?;
    let content_padding = (4 - size % 4) % 4;
    let count = 104 + name_size + name_padding + size + content_padding;
    if name == b"TRAILER!!!" {
        skip(input, size + content_padding)?;
        return Ok(count);
    }
    let name = String::from_utf8_lossy(&name);
    let name = name.trim_start_matches("./").trim_start_matches('/');
    let member = Member {
        name: name.to_owned(),
        mode,
        size,
    };
    let content = match sink.wants(&member) {
        true => {
            let mut content = Vec::new();
            if input.take(size).read_to_end(&mut content)? as u64 != size {
                return Err(broken("it ends in the middle of a file"));
            }
            Some(content)
        }
        false => {
            skip(input, size)?;
            None
        }
    };
    skip(input, content_padding)?;
    sink.member(member, content);
    Ok(count)
}

fn skip(input: &mut dyn Read, bytes: u64) -> io::Result<()> {
    match io::copy(&mut input.take(bytes), &mut io::sink())? == bytes {
        true => Ok(()),
        false => Err(broken("it ends in the middle of a file")),
    }
}

fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
