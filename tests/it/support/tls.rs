//! Certificates made for one test, so that no file in the repository ever expires.

use pgstream::cluster::ServerTls;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SigningKey as _,
};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::asn1::BitString;
use x509_cert::der::{Decode as _, Encode as _};

/// A certificate and its key as PEM texts.
#[derive(Debug, Clone)]
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

/// An authority that signs servers and clients.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// Makes a new authority.
    pub fn new(name: &str) -> Self {
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Returns the authority's certificate.
    pub fn certificate(&self) -> String {
        self.0.pem()
    }

    /// Signs a server for these host names and addresses.
    pub fn server(&self, names: &[&str]) -> ServerTls {
        let Identity { certificate, key } = self.sign(&params(names[0], names));
        ServerTls {
            certificate,
            key,
            client_authority: Some(self.certificate()),
        }
    }

    /// Signs a server by the recipe of PostgreSQL's manual: without extensions, which makes it one
    /// of version 1 that bears its name as common name only.
    pub fn server_of_version_1(&self, name: &str) -> ServerTls {
        let Identity { certificate, key } = self.sign_version_1(name);
        ServerTls {
            certificate,
            key,
            client_authority: None,
        }
    }

    /// As [`Authority::client`], by the same recipe.
    pub fn client_of_version_1(&self, user: &str) -> Identity {
        self.sign_version_1(user)
    }

    fn sign_version_1(&self, name: &str) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let modern = params(name, &[]).signed_by(&key, &self.0);
        let modern = modern.expect("a certificate");
        let mut old = Certificate::from_der(modern.der()).expect("a certificate");
        old.tbs_certificate.version = Version::V1;
        old.tbs_certificate.extensions = None;
        let content = old.tbs_certificate.to_der().expect("its content");
        let signature = self.0.key().sign(&content).expect("a signature");
        old.signature = BitString::from_bytes(&signature).expect("a signature");
        let whole = pem::Pem::new("CERTIFICATE", old.to_der().expect("a certificate"));
        Identity {
            certificate: pem::encode(&whole),
            key: key.serialize_pem(),
        }
    }

    /// Signs a client certificate for a database user.
    pub fn client(&self, user: &str) -> Identity {
        self.sign(&params(user, &[]))
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

/// A server whose certificate is its own root, as `openssl req -x509` makes it: CA:TRUE and
/// signed by itself.
pub fn self_signed_server(name: &str) -> ServerTls {
    let mut params = params(name, &[name]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    ServerTls {
        certificate,
        key: key.serialize_pem(),
        client_authority: None,
    }
}

fn params(common_name: &str, alternatives: &[&str]) -> CertificateParams {
    let alternatives: Vec<String> = alternatives.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(alternatives).expect("valid names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
}
