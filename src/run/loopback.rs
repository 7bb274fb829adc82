//! A network in which there is nothing but the loopback.

use std::io;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};
use rustix::thread::UnshareFlags;

use super::Error;

/// Gives the calling thread, and what it starts from now on, a network of its own: what
/// listens there nobody else on the host can reach, and what runs there reaches nobody.
///
/// # Errors
/// When the kernel refuses the namespace.
pub fn own_network() -> Result<(), Error> {
    // Safe with this flag: no file descriptor of another thread changes its meaning.
    #[allow(deprecated)]
    rustix::thread::unshare(UnshareFlags::NEWNET)
        .map_err(Error::namespace("make a network namespace"))?;
    up()
}

/// Sets the loopback of the calling thread's network up; in a new one it is down.
///
/// # Errors
/// When the kernel refuses it.
pub fn up() -> Result<(), Error> {
    let answer = ask(&request()).map_err(io::Error::from);
    let done = answer.and_then(|answer| accepted(&answer));
    done.map_err(Error::namespace("set the loopback up"))
}

fn ask(request: &[u8]) -> rustix::io::Result<Vec<u8>> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // NETLINK_ROUTE
        None,
    )?;
    send(&socket, request, SendFlags::empty())?;
    let mut answer = vec![0; 4096];
    let (_, length) = recv(&socket, answer.as_mut_slice(), RecvFlags::empty())?;
    answer.truncate(length);
    Ok(answer)
}

/// `ip link set lo up`. Sources: netlink(7), rtnetlink(7), linux/netlink.h.
fn request() -> Vec<u8> {
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST_ACK: u16 = 0x1 | 0x4;
    const LOOPBACK: i32 = 1;
    const IFF_UP: u32 = 1;
    let mut bytes = Vec::new();
    // struct nlmsghdr: length, type, flags, sequence, port.
    bytes.extend(32_u32.to_ne_bytes());
    bytes.extend(RTM_NEWLINK.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
    bytes.extend(1_u32.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    // struct ifinfomsg: family and padding, type, index, flags, which flags change.
    bytes.extend([0; 4]);
    bytes.extend(LOOPBACK.to_ne_bytes());
    bytes.extend(IFF_UP.to_ne_bytes());
    bytes.extend(IFF_UP.to_ne_bytes());
    bytes
}

/// Whether the kernel has done it: NLMSG_ERROR carries 0, or a negative errno.
fn accepted(answer: &[u8]) -> io::Result<()> {
    let code = answer.get(16..20).and_then(|code| code.try_into().ok());
    match code.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
        None => Err(rustix::io::Errno::PROTO.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_as_long_as_it_says() {
        assert_eq!(request().len(), 32);
    }

    #[test]
    fn an_answer_is_an_errno() {
        let mut answer = vec![0; 36];
        assert!(accepted(&answer).is_ok());
        answer[16..20].copy_from_slice(&(-1_i32).to_ne_bytes());
        let errno = |answer: &[u8]| accepted(answer).unwrap_err().raw_os_error();
        assert_eq!(errno(&answer), Some(1));
        assert_eq!(errno(&[]), Some(rustix::io::Errno::PROTO.raw_os_error()));
    }
}
