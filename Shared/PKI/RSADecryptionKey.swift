import COpenSSL

/// An RSA private key that decrypts what was encrypted for it.
///
/// `@unchecked Sendable`: the key is not changed after it is read; what OpenSSL works out about it on first use it
/// writes under a lock of its own.
public final class RSADecryptionKey: @unchecked Sendable {
    /// Why a key cannot be used, or an encrypted text not be opened.
    public enum Failure: Error, Equatable, Sendable {
        /// Not an RSA private key in DER, or one of fewer than 2,048 bits.
        case unreadable
        /// Not encrypted for this key.
        case undecryptable
    }

    /// The public key as X.509 has it (SubjectPublicKeyInfo), in DER.
    public let publicKeyInfo: [UInt8]
    private let pointer: OpaquePointer

    /// Reads a key.
    /// - Parameter der: PKCS #8 or PKCS #1 in DER.
    /// - Throws: ``Failure/unreadable``.
    public init(der: [UInt8]) throws(Failure) {
        defer { ERR_clear_error() }
        let parsed: OpaquePointer? = der.withUnsafeBufferPointer { buffer in
            var cursor: UnsafePointer<UInt8>? = buffer.baseAddress
            return cursor == nil ? nil : d2i_AutoPrivateKey(nil, &cursor, buffer.count)
        }
        guard let parsed else { throw .unreadable }
        guard EVP_PKEY_get_base_id(parsed) == EVP_PKEY_RSA, EVP_PKEY_get_bits(parsed) >= 2_048,
            let info = OpenSSLMemory.written({ i2d_PUBKEY(parsed, $0) })
        else {
            EVP_PKEY_free(parsed)
            throw .unreadable
        }
        pointer = parsed
        publicKeyInfo = info
    }

    deinit { EVP_PKEY_free(pointer) }

    /// Decrypts by RSAES-OAEP (RFC 8017 section 7.1.2) with SHA-256, MGF1 with SHA-256 and no label.
    /// - Throws: ``Failure/undecryptable``.
    public func decryptOAEP(_ encrypted: [UInt8]) throws(Failure) -> [UInt8] {
        defer { ERR_clear_error() }
        guard let context = EVP_PKEY_CTX_new(pointer, nil) else { throw .undecryptable }
        defer { EVP_PKEY_CTX_free(context) }
        guard EVP_PKEY_decrypt_init(context) == 1,
            EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1,
            EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1,
            EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1
        else { throw .undecryptable }
        var count = Int(EVP_PKEY_get_size(pointer))
        var plain = [UInt8](repeating: 0, count: count)
        guard EVP_PKEY_decrypt(context, &plain, &count, encrypted, encrypted.count) == 1 else { throw .undecryptable }
        return Array(plain.prefix(count))
    }
}
