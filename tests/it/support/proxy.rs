//! A TCP proxy on the loopback interface that can cut, hold back and pass on connections.
//!
//! It runs on a thread of its own, so a test that blocks does not stop it.

use std::io;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::thread::JoinHandle;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Traffic {
    /// They go through.
    Passing,
    /// They wait; connections stay open.
    Stalled,
    /// Those of a server go through until it was ready so often; then they wait.
    UntilReady(usize),
    /// Connections are closed, new ones at once.
    Cut,
    /// The proxy is gone.
    Over,
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    traffic: watch::Sender<Traffic>,
    commits: watch::Receiver<usize>,
    thread: Option<JoinHandle<()>>,
}

/// The end of a batch that does not wait for the disk, as it is sent.
const COMMIT: &[u8] = b"synchronous_commit = off; COMMIT";

impl Proxy {
    /// Starts a proxy to a port on 127.0.0.1.
    pub fn start(target_port: u16) -> Self {
        let (traffic, watched) = watch::channel(Traffic::Passing);
        let (committing, commits) = watch::channel(0);
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let port = listener.local_addr().expect("an address").port();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(listen(
                listener,
                target_port,
                watched,
                committing,
            ));
        });
        Self {
            port,
            traffic,
            commits,
            thread: Some(thread),
        }
    }

    /// Returns an address with this proxy's port in the place of the server's.
    pub fn through(&self, url: &str, server_port: u16) -> String {
        url.replacen(&format!(":{server_port}/"), &format!(":{}/", self.port), 1)
    }

    /// Closes every connection and refuses new ones until [`Proxy::resume`].
    pub fn cut(&self) {
        self.traffic.send_replace(Traffic::Cut);
    }

    /// Holds every byte back, in both directions, without closing anything.
    pub fn stall(&self) {
        self.traffic.send_replace(Traffic::Stalled);
    }

    /// Lets clients in and lets them pin their settings; then holds back every byte of the server, without
    /// closing anything.
    pub fn stall_after_login(&self) {
        self.traffic.send_replace(Traffic::UntilReady(3));
    }

    /// Returns how many batches have been passed on to the server to their end.
    pub fn commits(&self) -> watch::Receiver<usize> {
        self.commits.clone()
    }

    /// Lets everything through again.
    pub fn resume(&self) {
        self.traffic.send_replace(Traffic::Passing);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.traffic.send_replace(Traffic::Over);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// `ReadyForQuery`, outside of a transaction.
const READY: &[u8] = b"Z\x00\x00\x00\x05I";

async fn listen(
    listener: StdListener,
    target_port: u16,
    mut traffic: watch::Receiver<Traffic>,
    commits: watch::Sender<usize>,
) {
    let listener = TcpListener::from_std(listener).expect("a socket");
    loop {
        let accepted = tokio::select! {
            _ = traffic.wait_for(|now| *now == Traffic::Over) => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((client, _)) = accepted else { continue };
        if *traffic.borrow() == Traffic::Cut {
            continue;
        }
        #[expect(clippy::disallowed_methods, reason = "ends with its connection")]
        drop(tokio::spawn(pass(
            client,
            target_port,
            traffic.clone(),
            commits.clone(),
        )));
    }
}

/// One connection, until one side closes it or it is cut.
async fn pass(
    mut client: TcpStream,
    target_port: u16,
    traffic: watch::Receiver<Traffic>,
    commits: watch::Sender<usize>,
) {
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target_port)).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let mut cut = traffic.clone();
    tokio::select! {
        _ = cut.wait_for(|now| matches!(now, Traffic::Cut | Traffic::Over)) => {}
        _ = pump(&mut from_client, &mut to_server, traffic.clone(), Some(commits)) => {}
        _ = pump(&mut from_server, &mut to_client, traffic.clone(), None) => {}
    }
}

async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut traffic: watch::Receiver<Traffic>,
    commits: Option<watch::Sender<usize>>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let (mut ready, mut seen) = (0, Vec::new());
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        drop(traffic.wait_for(|now| *now != Traffic::Stalled).await);
        to.write_all(&buffer[..count]).await?;
        if let Some(commits) = &commits {
            seen.extend_from_slice(&buffer[..count]);
            let passed = seen.windows(COMMIT.len()).filter(|part| *part == COMMIT);
            let passed = passed.count();
            commits.send_modify(|count| *count += passed);
            // What is kept is too short to be counted twice.
            drop(seen.drain(..seen.len().saturating_sub(COMMIT.len() - 1)));
        }
        ready += usize::from(buffer[..count].ends_with(READY));
        let stalls = |now: &Traffic| matches!(now, Traffic::UntilReady(times) if ready >= *times);
        drop(traffic.wait_for(|now| !stalls(now)).await);
    }
}
