/// The parts of a CMS SignedData (RFC 5652 section 5) of the one form that is read: version 1, SHA-256, content of type
/// data that is elsewhere, certificates, and one signer by issuer and serial number with signed attributes and without
/// unsigned ones. Nothing that is left over or unusual passes, so that no bit can be changed unnoticed.
struct SignedData {
    /// DER of the object identifiers, without tag and length.
    private enum Name {
        /// 1.2.840.113549.1.7.2
        static let signedData: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02]
        /// 1.2.840.113549.1.7.1
        static let data: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01]
        /// 2.16.840.1.101.3.4.2.1
        static let sha256: [UInt8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01]
        /// 1.2.840.10045.4.3.2
        static let ecdsaWithSHA256: [UInt8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02]
        /// 1.2.840.113549.1.1.1
        static let rsaEncryption: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]
        /// 1.2.840.113549.1.1.11
        static let rsaWithSHA256: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B]
        /// 1.2.840.113549.1.9.3, .4 and .5
        static let contentType: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x03]
        static let messageDigest: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x04]
        static let signingTime: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x05]
    }

    private(set) var certificates: [[UInt8]] = []
    /// The sequence of issuer and serial number that names the signer's certificate.
    private(set) var signerID: [UInt8] = []
    /// The signed attributes as they are signed: as a SET.
    private(set) var signedAttributes: [UInt8] = []
    private(set) var signature: [UInt8] = []
    private(set) var messageDigest: [UInt8] = []
    /// UTCTime or GeneralizedTime, with its tag.
    private(set) var signingTime: (tag: UInt8, text: [UInt8])?

    /// Reads a ContentInfo.
    init(_ encoded: [UInt8]) throws(DERReader.Fault) {
        var reader = DERReader(encoded)
        try reader.container(0x30) { (reader) throws(DERReader.Fault) in
            try reader.expect(0x06, Name.signedData)
            try reader.container(0xA0) { (reader) throws(DERReader.Fault) in
                try reader.container(0x30) { (reader) throws(DERReader.Fault) in try readContent(&reader) }
            }
        }
        guard reader.isAtEnd else { throw DERReader.Fault() }
        try readAttributes()
    }

    private mutating func readContent(_ reader: inout DERReader) throws(DERReader.Fault) {
        try reader.expect(0x02, [1])
        try reader.container(0x31) { (reader) throws(DERReader.Fault) in
            try Self.readAlgorithm(&reader, [Name.sha256])
        }
        try reader.container(0x30) { (reader) throws(DERReader.Fault) in try reader.expect(0x06, Name.data) }
        certificates = try reader.container(0xA0) { (reader) throws(DERReader.Fault) in
            var found: [[UInt8]] = []
            while reader.isNext(0x30), found.count < 8 { found.append(try reader.whole(0x30)) }
            return found
        }
        try reader.container(0x31) { (reader) throws(DERReader.Fault) in
            try reader.container(0x30) { (reader) throws(DERReader.Fault) in try readSigner(&reader) }
        }
    }

    private mutating func readSigner(_ reader: inout DERReader) throws(DERReader.Fault) {
        try reader.expect(0x02, [1])
        signerID = try reader.whole(0x30)
        try Self.readAlgorithm(&reader, [Name.sha256])
        // Implicitly tagged in place, a SET where it is signed (RFC 5652 section 5.4).
        signedAttributes = [0x31] + (try reader.whole(0xA0)).dropFirst()
        try Self.readAlgorithm(&reader, [Name.ecdsaWithSHA256, Name.rsaEncryption, Name.rsaWithSHA256])
        signature = try reader.value(0x04)
    }

    /// One of these algorithms, without parameters or with NULL.
    private static func readAlgorithm(
        _ reader: inout DERReader, _ accepted: [[UInt8]]
    ) throws(DERReader.Fault) {
        let name: [UInt8] = try reader.container(0x30) { (reader) throws(DERReader.Fault) in
            let name: [UInt8] = try reader.value(0x06)
            if reader.isNext(0x05) { try reader.expect(0x05, []) }
            return name
        }
        guard accepted.contains(name) else { throw DERReader.Fault() }
    }

    /// Content type and digest once each, signing time once or not at all, others as they come.
    private mutating func readAttributes() throws(DERReader.Fault) {
        var seen: Set<[UInt8]> = []
        var reader = DERReader(signedAttributes)
        try reader.container(0x31) { (reader) throws(DERReader.Fault) in
            while !reader.isAtEnd {
                try reader.container(0x30) { (reader) throws(DERReader.Fault) in
                    let name: [UInt8] = try reader.value(0x06)
                    guard seen.insert(name).inserted else { throw DERReader.Fault() }
                    try readAttribute(name, &reader)
                }
            }
        }
        guard seen.isSuperset(of: [Name.contentType, Name.messageDigest]) else { throw DERReader.Fault() }
    }

    private mutating func readAttribute(_ name: [UInt8], _ reader: inout DERReader) throws(DERReader.Fault) {
        switch name {
        case Name.contentType:
            try reader.container(0x31) { (reader) throws(DERReader.Fault) in try reader.expect(0x06, Name.data) }
        case Name.messageDigest:
            messageDigest = try reader.container(0x31) { (reader) throws(DERReader.Fault) in try reader.value(0x04) }
        case Name.signingTime:
            signingTime = try reader.container(0x31) { (reader) throws(DERReader.Fault) in
                let tag: UInt8 = reader.isNext(0x17) ? 0x17 : 0x18
                return (tag, try reader.value(tag))
            }
        default: _ = try reader.value(0x31)
        }
    }
}
