/// Who asks: the merchant as the schemes have registered it. Read once, from configuration.
package struct RequestorProfile: Sendable, Equatable {
    /// `threeDSServerRefNumber`: given by EMVCo with the approval.
    package let serverReference: String
    /// `threeDSServerOperatorID`, where the directory server has given one.
    package let serverOperator: String?
    /// `threeDSServerURL`: where the RReq arrives.
    package let resultURL: String
    /// `notificationURL`: where the browser brings the CRes.
    package let notificationURL: String
    package let requestorID: String
    package let requestorName: String
    package let requestorURL: String
    package let acquirerBIN: String
    package let acquirerMerchantID: String
    /// ISO 18245, four digits.
    package let merchantCategory: String
    /// ISO 3166-1 numeric, three digits.
    package let merchantCountry: String
    package let merchantName: String

    /// Names the merchant; the lengths are checked when a message is written.
    package init(
        serverReference: String, serverOperator: String? = nil, resultURL: String, notificationURL: String,
        requestorID: String, requestorName: String, requestorURL: String, acquirerBIN: String,
        acquirerMerchantID: String, merchantCategory: String, merchantCountry: String, merchantName: String
    ) {
        self.serverReference = serverReference
        self.serverOperator = serverOperator
        self.resultURL = resultURL
        self.notificationURL = notificationURL
        self.requestorID = requestorID
        self.requestorName = requestorName
        self.requestorURL = requestorURL
        self.acquirerBIN = acquirerBIN
        self.acquirerMerchantID = acquirerMerchantID
        self.merchantCategory = merchantCategory
        self.merchantCountry = merchantCountry
        self.merchantName = merchantName
    }

    func write(to fields: inout FieldWriter) throws(InvalidField) {
        try fields.text("threeDSServerRefNumber", serverReference, 1...32)
        try fields.text("threeDSServerOperatorID", serverOperator, 1...32)
        try fields.address("threeDSServerURL", resultURL, max: 2_048)
        try fields.text("threeDSRequestorID", requestorID, 1...35)
        try fields.text("threeDSRequestorName", requestorName, 1...40)
        try fields.address("threeDSRequestorURL", requestorURL, max: 2_048)
        try fields.text("acquirerBIN", acquirerBIN, 1...11)
        try fields.text("acquirerMerchantID", acquirerMerchantID, 1...35)
        try fields.digits("mcc", merchantCategory, 4...4)
        try fields.digits("merchantCountryCode", merchantCountry, 3...3)
        try fields.text("merchantName", merchantName, 1...40)
    }
}
