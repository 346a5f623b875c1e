//! A TURN server of the field, coturn, started for one test: Debian's package `coturn` has it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use p2claw_proto::v1::IceServer;
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The secret of its time-limited credentials (`SIG-022`).
pub const SECRET: &str = "north";

/// A name that its other user goes by.
const NAME: &str = "visitor";
const PASSWORD: &str = "let me in";

/// Its addresses; most have the first only.
const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A relay on 127.0.0.1 over UDP, TCP and TLS. It ends with this value.
#[derive(Debug)]
pub struct Coturn {
    _process: Child,
    folder: TempDir,
    port: u16,
    tls_port: u16,
    /// Trusts its certificate and no other.
    pub tls: Arc<ClientConfig>,
}

/// How a client shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password for ever.
    LongTerm,
    /// The time-limited ones of [`SECRET`], as coord issues them.
    TimeLimited,
}

impl Coturn {
    /// Starts one and waits until it listens.
    ///
    /// # Panics
    /// When there is no `turnserver` to start, or it does not come up within 10 s.
    pub async fn start() -> Self {
        Self::start_with(Credentials::LongTerm).await
    }

    /// The same for the chosen credentials.
    ///
    /// # Panics
    /// When there is no `turnserver` to start, or it does not come up within 10 s.
    pub async fn start_with(credentials: Credentials) -> Self {
        Self::start_on(credentials, &[FIRST]).await
    }

    /// One that is at 127.0.0.1 and 127.0.0.2, and so tells how NATs behave (RFC 5780).
    ///
    /// # Panics
    /// When there is no `turnserver` to start, or it does not come up within 10 s.
    pub async fn start_with_two_addresses() -> Self {
        Self::start_on(Credentials::TimeLimited, &[FIRST, SECOND]).await
    }

    async fn start_on(credentials: Credentials, addresses: &[IpAddr]) -> Self {
        // Another process may take a port in between; then the next ones are tried.
        for _ in 0..5 {
            let folder = tempfile::tempdir().unwrap();
            let tls = certificate(folder.path());
            let ports = [free_port(), free_port(), free_port()];
            let [port, _, tls_port] = ports;
            let coturn = Self {
                _process: spawn(folder.path(), ports, credentials, addresses),
                folder,
                port,
                tls_port,
                tls,
            };
            if coturn.listens().await {
                return coturn;
            }
        }
        panic!("coturn did not come up; is Debian's package `coturn` installed?");
    }

    async fn listens(&self) -> bool {
        let up = async {
            for port in [self.port, self.tls_port] {
                while TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                    .await
                    .is_err()
                {
                    sleep(Duration::from_millis(20)).await;
                }
            }
        };
        timeout(Duration::from_secs(10), up).await.is_ok()
    }

    /// Its URL; `transport` is `udp`, `tcp` or `tls`.
    #[must_use]
    pub fn url(&self, transport: &str) -> String {
        match transport {
            "tls" => format!("turns:127.0.0.1:{}", self.tls_port),
            other => format!("turn:127.0.0.1:{}?transport={other}", self.port),
        }
    }

    /// As coord would name one that was started with a name and a password.
    #[must_use]
    pub fn server(&self, transport: &str) -> IceServer {
        IceServer {
            urls: vec![self.url(transport)],
            username: NAME.to_owned(),
            credential: PASSWORD.to_owned(),
            expires_at: 0,
        }
    }

    /// The certificate of its TLS, for `SSL_CERT_FILE`.
    #[must_use]
    pub fn certificate_file(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }
}

/// What `turnserver` is told.
#[derive(Debug)]
pub struct Config<'a> {
    /// For its files.
    pub folder: &'a Path,
    /// Where it listens. With two of a family it tells how NATs behave (RFC 5780).
    pub addresses: &'a [IpAddr],
    /// Where it relays from.
    pub relays: &'a [IpAddr],
    /// For UDP and TCP.
    pub port: u16,
    /// The other port of RFC 5780.
    pub other_port: u16,
    /// For TLS.
    pub tls_port: u16,
    /// Whom it serves.
    pub credentials: Credentials,
    /// PEM.
    pub certificate: &'a Path,
    /// PEM.
    pub key: &'a Path,
}

impl Config<'_> {
    /// Writes the file for `turnserver -c`.
    ///
    /// # Panics
    /// When the folder cannot be written to.
    #[must_use]
    pub fn write(&self) -> PathBuf {
        let path = |name: &str| self.folder.join(name).display().to_string();
        let who = match self.credentials {
            Credentials::LongTerm => format!("lt-cred-mech\nuser={NAME}:{PASSWORD}"),
            Credentials::TimeLimited => format!("use-auth-secret\nstatic-auth-secret={SECRET}"),
        };
        let mut config = format!(
            "listening-port={}\nalt-listening-port={}\ntls-listening-port={}\n{who}\n\
             realm=p2claw\nno-cli\nno-dtls\ncert={}\npkey={}\nuserdb={}\npidfile={}\n\
             log-file={}\nsimple-log\nproc-user=root\n",
            self.port,
            self.other_port,
            self.tls_port,
            self.certificate.display(),
            self.key.display(),
            path("users.db"),
            path("pid"),
            path("log"),
        );
        for address in self.addresses {
            config.push_str(&format!("listening-ip={address}\n"));
        }
        for address in self.relays {
            config.push_str(&format!("relay-ip={address}\n"));
        }
        if self.relays.iter().any(IpAddr::is_loopback) {
            config.push_str("allow-loopback-peers\n");
        }
        let file = self.folder.join("turnserver.conf");
        std::fs::write(&file, config).unwrap();
        file
    }
}

fn spawn(
    folder: &Path,
    [port, other_port, tls_port]: [u16; 3],
    credentials: Credentials,
    addresses: &[IpAddr],
) -> Child {
    let config = Config {
        folder,
        addresses,
        relays: &[Ipv4Addr::LOCALHOST.into()],
        port,
        other_port,
        tls_port,
        credentials,
        certificate: &folder.join("cert.pem"),
        key: &folder.join("key.pem"),
    };
    Command::new("turnserver")
        .arg("-c")
        .arg(config.write())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| {
            panic!("start turnserver: {error}; Debian's package `coturn` has it")
        })
}

fn certificate(folder: &Path) -> Arc<ClientConfig> {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    listener.local_addr().unwrap().port()
}
