import COpenSSLTLS

/// The encryption of one connection: TLS 1.2 or newer (RFC 8446, RFC 5246), the server's certificate held against the
/// trusted roots and the name or address that was asked for. Every call comes from the connection's thread.
final class RedisTLS {
    /// What the socket did.
    enum Progress {
        case bytes(Int)
        /// Nothing for now.
        case wait
        case lost(RedisConnectionLost)
    }

    private let context: OpaquePointer
    private let session: OpaquePointer

    /// Shakes hands over a connected socket that blocks, for its own timeout at most.
    /// - Parameters:
    ///   - host: Who the certificate must be for.
    ///   - roots: A file of trusted certificates in PEM; the system's without.
    init(descriptor: Int32, host: String, roots: String?) throws(RedisConnectionLost) {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw Self.lost("TLS") }
        // A session copies these when it is made; the roots it looks up when it shakes hands.
        tls_context_settings(context)
        guard let session = SSL_new(context) else {
            SSL_CTX_free(context)
            throw Self.lost("TLS")
        }
        self.context = context
        self.session = session
        do throws(RedisConnectionLost) {
            try trust(roots)
            try expect(host)
            guard SSL_set_fd(session, descriptor) == 1 else { throw Self.lost("TLS") }
            guard SSL_connect(session) == 1 else { throw refusal() }
        } catch {
            free()
            throw error
        }
    }

    private func trust(_ roots: String?) throws(RedisConnectionLost) {
        let loaded: Int32 =
            roots.map { SSL_CTX_load_verify_file(context, $0) } ?? SSL_CTX_set_default_verify_paths(context)
        guard loaded == 1 else { throw Self.lost("the trusted certificates cannot be read") }
    }

    private func expect(_ host: String) throws(RedisConnectionLost) {
        SSL_set_verify(session, SSL_VERIFY_PEER, nil)
        if X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host) == 1 { return }
        guard SSL_set1_host(session, host) == 1, tls_server_name(session, host) == 1 else { throw Self.lost("TLS") }
    }

    /// Says good-bye without waiting for an answer.
    func close() {
        SSL_shutdown(session)
        free()
    }

    private func free() {
        SSL_free(session)
        SSL_CTX_free(context)
    }

    /// Sends as much as the socket takes.
    func write(_ bytes: UnsafeRawBufferPointer) -> Progress {
        ERR_clear_error()
        return progress(SSL_write(session, bytes.baseAddress, Int32(clamping: bytes.count)))
    }

    /// Reads what has arrived.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Progress {
        ERR_clear_error()
        return progress(SSL_read(session, buffer.baseAddress, Int32(clamping: buffer.count)))
    }

    private func progress(_ result: Int32) -> Progress {
        if result > 0 { return .bytes(Int(result)) }
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wait
        case SSL_ERROR_ZERO_RETURN: return .lost(RedisConnectionLost(reason: "Server closed the connection"))
        default: return .lost(Self.lost("TLS"))
        }
    }

    /// Why the handshake failed; a certificate that is not trusted says so.
    private func refusal() -> RedisConnectionLost {
        let verdict: Int = SSL_get_verify_result(session)
        guard verdict != Int(X509_V_OK), let text = X509_verify_cert_error_string(verdict) else {
            return Self.lost("TLS handshake")
        }
        return RedisConnectionLost(reason: "certificate: \(String(cString: text))")
    }

    private static func lost(_ what: String) -> RedisConnectionLost {
        let code: UInt = ERR_get_error()
        guard code != 0, let text = ERR_reason_error_string(code) else { return RedisConnectionLost(reason: what) }
        return RedisConnectionLost(reason: "\(what): \(String(cString: text))")
    }
}
