import BillingCore
import COpenSSL

/// One `X509` of OpenSSL and its reference.
///
/// `@unchecked Sendable`: the certificate is only read, and what OpenSSL works out about one on first use it writes
/// under a lock of its own.
final class CertificateHandle: @unchecked Sendable {
    let pointer: OpaquePointer
    let notBefore: Instant
    let notAfter: Instant
    /// The sequence of issuer and serial number by which CMS names a certificate, in DER.
    let issuerAndSerial: [UInt8]

    /// Takes over one reference, or gives it back where the certificate is not usable.
    init?(owning pointer: OpaquePointer) {
        guard let start = Instant(asn1Time: X509_get0_notBefore(pointer)),
            let end = Instant(asn1Time: X509_get0_notAfter(pointer)), let identity = Self.issuerAndSerial(pointer)
        else {
            X509_free(pointer)
            return nil
        }
        self.pointer = pointer
        notBefore = start
        notAfter = end
        issuerAndSerial = identity
    }

    deinit { X509_free(pointer) }

    convenience init?(der: [UInt8]) {
        let parsed: OpaquePointer? = der.withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else { return nil }
            var cursor: UnsafePointer<UInt8>? = start
            guard let certificate = d2i_X509(nil, &cursor, buffer.count) else { return nil }
            guard cursor == start + buffer.count else {
                X509_free(certificate)
                return nil
            }
            return certificate
        }
        guard let parsed else {
            ERR_clear_error()
            return nil
        }
        self.init(owning: parsed)
    }

    /// Every certificate of a PEM text; `nil` when one is damaged.
    static func reading(pem: String) -> [CertificateHandle]? {
        let bytes: [UInt8] = Array(pem.utf8)
        guard let source = OpenSSLMemory.source(bytes) else { return nil }
        defer { BIO_free(source) }
        var found: [CertificateHandle] = []
        while let certificate = PEM_read_bio_X509(source, nil, nil, nil) {
            guard let handle = CertificateHandle(owning: certificate) else { return nil }
            found.append(handle)
        }
        // Reading ends with an error in any case: "no more" where all was well.
        let reason: Int32 = ERR_GET_REASON(ERR_peek_last_error())
        ERR_clear_error()
        return reason == PEM_R_NO_START_LINE ? found : nil
    }

    private static func issuerAndSerial(_ pointer: OpaquePointer) -> [UInt8]? {
        guard let name = X509_get_issuer_name(pointer), let number = X509_get0_serialNumber(pointer),
            let issuer = OpenSSLMemory.written({ i2d_X509_NAME(name, $0) }),
            let serial = OpenSSLMemory.written({ i2d_ASN1_INTEGER(number, $0) })
        else { return nil }
        let count: Int = issuer.count + serial.count
        guard count <= 0xFFFF else { return nil }
        var header: [UInt8] = [0x30, 0x82, UInt8(count >> 8), UInt8(count & 0xFF)]
        if count < 0x80 {
            header = [0x30, UInt8(count)]
        } else if count <= 0xFF {
            header = [0x30, 0x81, UInt8(count)]
        }
        return header + issuer + serial
    }

    var der: [UInt8]? {
        OpenSSLMemory.written { i2d_X509(self.pointer, $0) }
    }

    func extensionValue(_ identifier: String) -> [UInt8]? {
        defer { ERR_clear_error() }
        guard let object = OBJ_txt2obj(identifier, 1) else { return nil }
        defer { ASN1_OBJECT_free(object) }
        let index: Int32 = X509_get_ext_by_OBJ(pointer, object, -1)
        guard index >= 0, let found = X509_get_ext(pointer, index), let value = X509_EXTENSION_get_data(found) else {
            return nil
        }
        return OpenSSLMemory.bytes(of: value)
    }

    func verifies(_ signature: [UInt8], over message: [UInt8]) -> Bool {
        defer { ERR_clear_error() }
        guard let key = X509_get0_pubkey(pointer), let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        let kind: Int32 = EVP_PKEY_get_base_id(key)
        guard kind == EVP_PKEY_EC || kind == EVP_PKEY_RSA,
            EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key) == 1
        else { return false }
        return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }
}
