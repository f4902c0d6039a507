//! The output of an action that holds secrets: it goes through the helper, which takes them out.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Gid, OFlags, Uid, fchown, fcntl_setfl};
use rustix::io::{Errno, ioctl_fionread};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::stdio::{dup2_stderr, dup2_stdout, stderr, stdout};

use crate::error::{During, Result};
use crate::mask::Mask;
use crate::secrets::Secret;

/// As much as a pipe holds.
const PIECE: usize = 64 << 10;

/// Both streams, from the action to where the helper's own go.
pub struct Output {
    streams: [Stream; 2],
    /// The action's ends.
    ends: Option<[OwnedFd; 2]>,
    buffer: Vec<u8>,
}

struct Stream {
    name: &'static str,
    /// Gone when the action has closed it, or nobody takes what it says.
    source: Option<OwnedFd>,
    mask: Mask,
    failure: Option<Errno>,
}

impl Output {
    /// Makes pipes that belong to the sandbox's user, or programs could not open `/dev/stdout`.
    pub fn through_pipes(secrets: &[Secret], owner: Option<(Uid, Gid)>) -> Result<Output> {
        let pipe = |name| {
            let (source, end) = pipe_with(PipeFlags::CLOEXEC).during("pipe", name)?;
            if let Some((uid, gid)) = owner {
                fchown(&end, Some(uid), Some(gid)).during("fchown", name)?;
            }
            // One stream must not keep the other waiting. The action's end stays as it is.
            fcntl_setfl(&source, OFlags::NONBLOCK).during("fcntl", name)?;
            let mask = Mask::new(secrets);
            Ok((Stream { name, source: Some(source), mask, failure: None }, end))
        };
        let (first, second) = (pipe("stdout")?, pipe("stderr")?);
        Ok(Output {
            streams: [first.0, second.0],
            ends: Some([first.1, second.1]),
            buffer: vec![0; PIECE],
        })
    }

    /// In the sandbox: what is printed from here on goes into the pipes.
    pub fn enter(self) -> Result<()> {
        let [out, err] = self.ends.iter().flatten().collect::<Vec<_>>()[..] else { return Ok(()) };
        dup2_stdout(out).during("dup2", "stdout")?;
        dup2_stderr(err).during("dup2", "stderr")
    }

    /// In the helper: the pipes end when the sandbox does.
    pub fn leave(&mut self) {
        self.ends = None;
    }

    /// What to wait for.
    pub fn sources(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.streams.iter().filter_map(|s| Some(PollFd::new(s.source.as_ref()?, PollFlags::IN)))
    }

    /// Takes what there is, once.
    pub fn pump(&mut self) {
        for stream in &mut self.streams {
            stream.pump(&mut self.buffer);
        }
    }

    /// Takes all that there still is, when the action is dead. Whoever outside it gave a pipe to is
    /// neither waited for nor listened to.
    pub fn finish(mut self) -> Result<()> {
        for stream in &mut self.streams {
            let left = stream.source.as_ref().and_then(|source| ioctl_fionread(source).ok());
            let mut left = usize::try_from(left.unwrap_or(0)).unwrap_or(usize::MAX);
            while left > 0 {
                let end = left.min(PIECE);
                match stream.pump(&mut self.buffer[..end]) {
                    0 => break,
                    length => left -= length,
                }
            }
            let rest = stream.mask.finish();
            stream.write(&rest);
        }
        for Stream { name, failure, .. } in &self.streams {
            // Where whoever listened is gone, that is no fault of ours.
            if let Some(errno) = failure.filter(|&errno| errno != Errno::PIPE) {
                return Err(errno).during("write", *name);
            }
        }
        Ok(())
    }
}

impl Stream {
    /// How much was taken: nothing where there is none now.
    fn pump(&mut self, buffer: &mut [u8]) -> usize {
        let Some(source) = &self.source else { return 0 };
        match rustix::io::read(source, &mut *buffer) {
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Err(_) | Ok(0) => {
                self.source = None;
                0
            }
            Ok(length) => {
                let clean = self.mask.feed(&buffer[..length]);
                self.write(&clean);
                length
            }
        }
    }

    /// Writes all of it, or lets the action find out that nobody listens.
    fn write(&mut self, mut bytes: &[u8]) {
        let target = if self.name == "stdout" { stdout() } else { stderr() };
        while !bytes.is_empty() && self.failure.is_none() {
            match rustix::io::write(target, bytes) {
                Ok(length) => bytes = &bytes[length..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let _ = poll(&mut [PollFd::new(&target, PollFlags::OUT)], None);
                }
                Err(errno) => {
                    self.failure = Some(errno);
                    self.source = None;
                }
            }
        }
    }
}
