import BillingCore
import COpenSSL

/// Bytes on their way into and out of OpenSSL.
enum OpenSSLMemory {
    /// A stream that reads a copy of the bytes. Free it with `BIO_free`.
    static func source(_ bytes: [UInt8]) -> OpaquePointer? {
        guard let stream = BIO_new(BIO_s_mem()) else { return nil }
        guard bytes.isEmpty || BIO_write(stream, bytes, Int32(clamping: bytes.count)) == bytes.count else {
            BIO_free(stream)
            return nil
        }
        return stream
    }

    /// What one of the `i2d_` functions writes: asked for the length first, then for the bytes.
    static func written(_ write: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32) -> [UInt8]? {
        let length = Int(write(nil))
        guard length > 0 else { return nil }
        return [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            var cursor: UnsafeMutablePointer<UInt8>? = buffer.baseAddress
            count = max(0, Int(write(&cursor)))
        }
    }

    /// The hash of a message; nothing where OpenSSL has no memory for it, which equals no hash.
    static func sha256(_ message: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            let status: Int32 = EVP_Digest(message, message.count, buffer.baseAddress, nil, EVP_sha256(), nil)
            count = status == 1 ? 32 : 0
        }
    }

    /// A copy of what an ASN.1 string holds.
    static func bytes(of string: UnsafePointer<ASN1_OCTET_STRING>) -> [UInt8] {
        let count = Int(ASN1_STRING_length(string))
        return Array(UnsafeBufferPointer(start: ASN1_STRING_get0_data(string), count: count))
    }
}

extension Instant {
    /// A UTCTime or GeneralizedTime; `nil` when it is neither or names no real time.
    init?(asn1Time: UnsafePointer<ASN1_TIME>?) {
        guard let asn1Time, let epoch = ASN1_TIME_set(nil, 0) else { return nil }
        defer { ASN1_STRING_free(epoch) }
        var days: Int32 = 0
        var seconds: Int32 = 0
        guard ASN1_TIME_check(asn1Time) == 1, ASN1_TIME_diff(&days, &seconds, epoch, asn1Time) == 1 else { return nil }
        self.init(seconds: Int64(days) * 86_400 + Int64(seconds))
    }
}
