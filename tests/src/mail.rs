//! A mail server for a test: it takes what it is sent and keeps it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A mail as it came.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    /// The address that it is from, by the envelope.
    pub from: String,
    /// Those that it goes to, by the envelope.
    pub to: Vec<String>,
    /// Head and body.
    pub text: String,
}

/// The server; it ends when it is dropped.
pub struct MailServer {
    /// Where it listens: a free port on the loopback address.
    pub address: SocketAddr,
    taken: Arc<Mutex<Vec<Mail>>>,
    serving: JoinHandle<()>,
}

impl MailServer {
    /// Starts it.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let taken = Arc::new(Mutex::default());
        let keep = taken.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that goes away ends its own conversation and nothing else.
                let _ = converse(stream, &keep).await;
            }
        });
        Ok(Self { address, taken, serving })
    }

    /// Every mail so far.
    pub fn taken(&self) -> Vec<Mail> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// One client, by RFC 5321: a command on each line, the mail's text ended by a line with a full stop.
async fn converse(mut stream: TcpStream, taken: &Mutex<Vec<Mail>>) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 mail.test ESMTP\r\n").await?;
    let mut mail = Mail::default();
    while let Some(line) = lines.next_line().await? {
        let upper = line.to_ascii_uppercase();
        let address = || line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        let reply = match upper.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" | "HELO" => "250 mail.test",
            "MAIL" => {
                mail = Mail { from: address(), ..Mail::default() };
                "250 2.1.0 Ok"
            }
            "RCPT" if mail.from.is_empty() => "503 5.5.1 Error: need MAIL command",
            "RCPT" => {
                mail.to.push(address());
                "250 2.1.5 Ok"
            }
            "DATA" if mail.to.is_empty() => "503 5.5.1 Error: need RCPT command",
            "DATA" => {
                write.write_all(b"354 End data with <CR><LF>.<CR><LF>\r\n").await?;
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    mail.text.push_str(line.strip_prefix('.').unwrap_or(&line));
                    mail.text.push('\n');
                }
                taken.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut mail));
                "250 2.0.0 Ok: queued"
            }
            "NOOP" | "RSET" => "250 2.0.0 Ok",
            "QUIT" => {
                write.write_all(b"221 2.0.0 Bye\r\n").await?;
                return Ok(());
            }
            _ => "502 5.5.2 Error: command not recognized",
        };
        write.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
    Ok(())
}
