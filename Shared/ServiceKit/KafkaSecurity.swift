public import Telemetry

/// How the brokers are spoken to.
public struct KafkaSecurity: Sendable {
    /// Kafka's names for encrypted or not, with log-in or without.
    public enum Transport: String, Sendable, CaseIterable {
        /// Nothing is encrypted and nobody logs in.
        case plaintext
        /// TLS.
        case ssl
        /// A log-in without encryption.
        case saslPlaintext = "sasl_plaintext"
        /// A log-in over TLS.
        case saslSSL = "sasl_ssl"

        /// Whether what travels is encrypted and the broker's certificate checked.
        public var isEncrypted: Bool { self == .ssl || self == .saslSSL }
        /// Whether user and password are sent.
        public var logsIn: Bool { self == .saslPlaintext || self == .saslSSL }
    }

    /// How the password is proved.
    public enum Mechanism: String, Sendable, CaseIterable {
        /// Sent as it is.
        case plain = "PLAIN"
        /// RFC 5802 with SHA-256.
        case scramSHA256 = "SCRAM-SHA-256"
        /// RFC 5802 with SHA-512.
        case scramSHA512 = "SCRAM-SHA-512"
    }

    /// Encryption and log-in.
    public let transport: Transport
    /// How the password is proved, where there is a log-in.
    public let mechanism: Mechanism
    /// Who logs in.
    public let username: String
    /// Their password.
    public let password: Secret
    /// File of the certificates that are trusted, in PEM; the system's without.
    public let roots: String?

    /// The settings by librdkafka's names; the password is among them.
    var settings: [String: String] {
        var settings: [String: String] = ["security.protocol": transport.rawValue]
        if transport.isEncrypted, let roots { settings["ssl.ca.location"] = roots }
        if transport.logsIn {
            settings["sasl.mechanism"] = mechanism.rawValue
            settings["sasl.username"] = username
            settings["sasl.password"] = password.reveal()
        }
        return settings
    }
}
