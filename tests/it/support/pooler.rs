//! A pooler in transaction mode: each transaction of a client gets the session of the server that was
//! given back last. The server must trust whoever comes from the loopback interface.

use std::io;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// `ReadyForQuery`, outside of a transaction.
const READY: &[u8] = b"Z\x00\x00\x00\x05I";

/// `StartupMessage` of version 3.0, for user and database postgres.
const STARTUP: &[u8] =
    b"\x00\x00\x00\x29\x00\x03\x00\x00user\x00postgres\x00database\x00postgres\x00\x00";

/// Ahead of a `StartupMessage`: `SSLRequest` and `GSSENCRequest`.
const WISHES: [i32; 2] = [80_877_103, 80_877_104];

/// A session of the server, and how it greeted.
struct Backend {
    stream: TcpStream,
    greeting: Vec<u8>,
}

/// Sessions that are nobody's at the moment, the one given back last on top.
type Idle = Arc<Mutex<Vec<Backend>>>;

/// A running pooler.
pub struct Pooler {
    port: u16,
    over: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Pooler {
    /// Starts a pooler of a server on 127.0.0.1.
    pub fn start(server_port: u16) -> Self {
        let (over, ends) = watch::channel(false);
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let port = listener.local_addr().expect("an address").port();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime
                .expect("a runtime")
                .block_on(listen(listener, server_port, ends));
        });
        Self {
            port,
            over,
            thread: Some(thread),
        }
    }

    /// Returns an address with this pooler's port in the place of the server's.
    pub fn through(&self, url: &str, server_port: u16) -> String {
        url.replacen(&format!(":{server_port}/"), &format!(":{}/", self.port), 1)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.over.send_replace(true);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn listen(listener: StdListener, server_port: u16, mut ends: watch::Receiver<bool>) {
    let listener = TcpListener::from_std(listener).expect("a socket");
    let idle = Idle::default();
    loop {
        let accepted = tokio::select! {
            _ = ends.wait_for(|over| *over) => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((client, _)) = accepted else { continue };
        #[expect(clippy::disallowed_methods, reason = "ends with its connection")]
        drop(tokio::spawn(serve(client, server_port, Arc::clone(&idle))));
    }
}

async fn serve(mut client: TcpStream, server_port: u16, idle: Idle) -> io::Result<()> {
    loop {
        let length = client.read_i32().await?;
        let wish = client.read_i32().await?;
        let rest = usize::try_from(length).unwrap_or(8).saturating_sub(8);
        client.read_exact(&mut vec![0; rest]).await?;
        match WISHES.contains(&wish) {
            true => client.write_all(b"N").await?,
            false => break,
        }
    }
    let backend = take(&idle, server_port).await?;
    client.write_all(&backend.greeting).await?;
    give_back(&idle, backend);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = client.read(&mut buffer).await?;
        if count == 0 || buffer[0] == b'X' {
            return Ok(());
        }
        let mut backend = take(&idle, server_port).await?;
        backend.stream.write_all(&buffer[..count]).await?;
        transaction(&mut client, &mut backend.stream).await?;
        give_back(&idle, backend);
    }
}

/// Passes everything on until the server is outside of a transaction. Where one of them leaves before that,
/// nobody gets the session again.
async fn transaction(client: &mut TcpStream, server: &mut TcpStream) -> io::Result<()> {
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            count = server.read(&mut answered) => {
                let message = &answered[..some(count?)?];
                client.write_all(message).await?;
                if message.ends_with(READY) {
                    return Ok(());
                }
            }
            count = client.read(&mut asked) => server.write_all(&asked[..some(count?)?]).await?,
        }
    }
}

fn some(count: usize) -> io::Result<usize> {
    match count {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => Ok(count),
    }
}

async fn take(idle: &Idle, server_port: u16) -> io::Result<Backend> {
    let last = idle.lock().expect("nobody panics").pop();
    if let Some(backend) = last {
        return Ok(backend);
    }
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port)).await?;
    stream.write_all(STARTUP).await?;
    let mut greeting = Vec::new();
    while !greeting.ends_with(READY) {
        if stream.read_buf(&mut greeting).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Backend { stream, greeting })
}

fn give_back(idle: &Idle, backend: Backend) {
    idle.lock().expect("nobody panics").push(backend);
}
