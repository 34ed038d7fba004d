"""Amounts of money in whole minor units of a currency. Decimal amounts are for display only.

The table is ISO 4217, list one, of 2026-01-01: every active code that has a minor unit. Precious
metals, units of account and test codes have none. The number of decimals is not taken from any
other source: CLDR displays forints without decimals, and reading a price that way would be wrong by
a factor of 100.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class CurrencyCode(StrEnum):
    """The active codes of ISO 4217. A concert whose tickets are not free needs a currency that the
    payment provider accepts.

    A code that ISO withdraws stays here, because concerts and orders may use it.
    """

    _value_: str
    digits: int
    """The number of decimal places: the minor unit is 10 to the power of -digits."""
    label: str
    """The English name."""

    # The defaults are for type checkers only: a call such as CurrencyCode("EUR") finds a member.
    def __new__(cls, code: str, digits: int = 0, label: str = "") -> "CurrencyCode":
        member = str.__new__(cls, code)
        member._value_ = code
        member.digits = digits
        member.label = label
        return member

    AED = "AED", 2, "UAE dirham"
    AFN = "AFN", 2, "Afghani"
    ALL = "ALL", 2, "Lek"
    AMD = "AMD", 2, "Armenian dram"
    AOA = "AOA", 2, "Kwanza"
    ARS = "ARS", 2, "Argentine peso"
    AUD = "AUD", 2, "Australian dollar"
    AWG = "AWG", 2, "Aruban florin"
    AZN = "AZN", 2, "Azerbaijan manat"
    BAM = "BAM", 2, "Convertible mark"
    BBD = "BBD", 2, "Barbados dollar"
    BDT = "BDT", 2, "Taka"
    BHD = "BHD", 3, "Bahraini dinar"
    BIF = "BIF", 0, "Burundi franc"
    BMD = "BMD", 2, "Bermudian dollar"
    BND = "BND", 2, "Brunei dollar"
    BOB = "BOB", 2, "Boliviano"
    BOV = "BOV", 2, "Mvdol"
    BRL = "BRL", 2, "Brazilian real"
    BSD = "BSD", 2, "Bahamian dollar"
    BTN = "BTN", 2, "Ngultrum"
    BWP = "BWP", 2, "Pula"
    BYN = "BYN", 2, "Belarusian ruble"
    BZD = "BZD", 2, "Belize dollar"
    CAD = "CAD", 2, "Canadian dollar"
    CDF = "CDF", 2, "Congolese franc"
    CHE = "CHE", 2, "WIR euro"
    CHF = "CHF", 2, "Swiss franc"
    CHW = "CHW", 2, "WIR franc"
    CLF = "CLF", 4, "Unidad de Fomento"
    CLP = "CLP", 0, "Chilean peso"
    CNY = "CNY", 2, "Yuan renminbi"
    COP = "COP", 2, "Colombian peso"
    COU = "COU", 2, "Unidad de Valor Real"
    CRC = "CRC", 2, "Costa Rican colon"
    CUP = "CUP", 2, "Cuban peso"
    CVE = "CVE", 2, "Cabo Verde escudo"
    CZK = "CZK", 2, "Czech koruna"
    DJF = "DJF", 0, "Djibouti franc"
    DKK = "DKK", 2, "Danish krone"
    DOP = "DOP", 2, "Dominican peso"
    DZD = "DZD", 2, "Algerian dinar"
    EGP = "EGP", 2, "Egyptian pound"
    ERN = "ERN", 2, "Nakfa"
    ETB = "ETB", 2, "Ethiopian birr"
    EUR = "EUR", 2, "Euro"
    FJD = "FJD", 2, "Fiji dollar"
    FKP = "FKP", 2, "Falkland Islands pound"
    GBP = "GBP", 2, "Pound sterling"
    GEL = "GEL", 2, "Lari"
    GHS = "GHS", 2, "Ghana cedi"
    GIP = "GIP", 2, "Gibraltar pound"
    GMD = "GMD", 2, "Dalasi"
    GNF = "GNF", 0, "Guinean franc"
    GTQ = "GTQ", 2, "Quetzal"
    GYD = "GYD", 2, "Guyana dollar"
    HKD = "HKD", 2, "Hong Kong dollar"
    HNL = "HNL", 2, "Lempira"
    HTG = "HTG", 2, "Gourde"
    HUF = "HUF", 2, "Forint"
    IDR = "IDR", 2, "Rupiah"
    ILS = "ILS", 2, "New Israeli sheqel"
    INR = "INR", 2, "Indian rupee"
    IQD = "IQD", 3, "Iraqi dinar"
    IRR = "IRR", 2, "Iranian rial"
    ISK = "ISK", 0, "Iceland krona"
    JMD = "JMD", 2, "Jamaican dollar"
    JOD = "JOD", 3, "Jordanian dinar"
    JPY = "JPY", 0, "Japanese yen"
    KES = "KES", 2, "Kenyan shilling"
    KGS = "KGS", 2, "Som"
    KHR = "KHR", 2, "Riel"
    KMF = "KMF", 0, "Comorian franc"
    KPW = "KPW", 2, "North Korean won"
    KRW = "KRW", 0, "Won"
    KWD = "KWD", 3, "Kuwaiti dinar"
    KYD = "KYD", 2, "Cayman Islands dollar"
    KZT = "KZT", 2, "Tenge"
    LAK = "LAK", 2, "Lao kip"
    LBP = "LBP", 2, "Lebanese pound"
    LKR = "LKR", 2, "Sri Lanka rupee"
    LRD = "LRD", 2, "Liberian dollar"
    LSL = "LSL", 2, "Loti"
    LYD = "LYD", 3, "Libyan dinar"
    MAD = "MAD", 2, "Moroccan dirham"
    MDL = "MDL", 2, "Moldovan leu"
    MGA = "MGA", 2, "Malagasy ariary"
    MKD = "MKD", 2, "Denar"
    MMK = "MMK", 2, "Kyat"
    MNT = "MNT", 2, "Tugrik"
    MOP = "MOP", 2, "Pataca"
    MRU = "MRU", 2, "Ouguiya"
    MUR = "MUR", 2, "Mauritius rupee"
    MVR = "MVR", 2, "Rufiyaa"
    MWK = "MWK", 2, "Malawi kwacha"
    MXN = "MXN", 2, "Mexican peso"
    MXV = "MXV", 2, "Mexican Unidad de Inversion"
    MYR = "MYR", 2, "Malaysian ringgit"
    MZN = "MZN", 2, "Mozambique metical"
    NAD = "NAD", 2, "Namibia dollar"
    NGN = "NGN", 2, "Naira"
    NIO = "NIO", 2, "Cordoba oro"
    NOK = "NOK", 2, "Norwegian krone"
    NPR = "NPR", 2, "Nepalese rupee"
    NZD = "NZD", 2, "New Zealand dollar"
    OMR = "OMR", 3, "Omani rial"
    PAB = "PAB", 2, "Balboa"
    PEN = "PEN", 2, "Sol"
    PGK = "PGK", 2, "Kina"
    PHP = "PHP", 2, "Philippine peso"
    PKR = "PKR", 2, "Pakistan rupee"
    PLN = "PLN", 2, "Polish zloty"
    PYG = "PYG", 0, "Guarani"
    QAR = "QAR", 2, "Qatari rial"
    RON = "RON", 2, "Romanian leu"
    RSD = "RSD", 2, "Serbian dinar"
    RUB = "RUB", 2, "Russian ruble"
    RWF = "RWF", 0, "Rwanda franc"
    SAR = "SAR", 2, "Saudi riyal"
    SBD = "SBD", 2, "Solomon Islands dollar"
    SCR = "SCR", 2, "Seychelles rupee"
    SDG = "SDG", 2, "Sudanese pound"
    SEK = "SEK", 2, "Swedish krona"
    SGD = "SGD", 2, "Singapore dollar"
    SHP = "SHP", 2, "Saint Helena pound"
    SLE = "SLE", 2, "Leone"
    SOS = "SOS", 2, "Somali shilling"
    SRD = "SRD", 2, "Surinam dollar"
    SSP = "SSP", 2, "South Sudanese pound"
    STN = "STN", 2, "Dobra"
    SVC = "SVC", 2, "El Salvador colon"
    SYP = "SYP", 2, "Syrian pound"
    SZL = "SZL", 2, "Lilangeni"
    THB = "THB", 2, "Baht"
    TJS = "TJS", 2, "Somoni"
    TMT = "TMT", 2, "Turkmenistan new manat"
    TND = "TND", 3, "Tunisian dinar"
    TOP = "TOP", 2, "Pa'anga"
    TRY = "TRY", 2, "Turkish lira"
    TTD = "TTD", 2, "Trinidad and Tobago dollar"
    TWD = "TWD", 2, "New Taiwan dollar"
    TZS = "TZS", 2, "Tanzanian shilling"
    UAH = "UAH", 2, "Hryvnia"
    UGX = "UGX", 0, "Uganda shilling"
    USD = "USD", 2, "US dollar"
    USN = "USN", 2, "US dollar (next day)"
    UYI = "UYI", 0, "Uruguay peso in indexed units"
    UYU = "UYU", 2, "Peso uruguayo"
    UYW = "UYW", 4, "Unidad Previsional"
    UZS = "UZS", 2, "Uzbekistan sum"
    VED = "VED", 2, "Bolivar digital"
    VES = "VES", 2, "Bolivar soberano"
    VND = "VND", 0, "Dong"
    VUV = "VUV", 0, "Vatu"
    WST = "WST", 2, "Tala"
    XAD = "XAD", 2, "Arab accounting dinar"
    XAF = "XAF", 0, "CFA franc BEAC"
    XCD = "XCD", 2, "East Caribbean dollar"
    XCG = "XCG", 2, "Caribbean guilder"
    XOF = "XOF", 0, "CFA franc BCEAO"
    XPF = "XPF", 0, "CFP franc"
    YER = "YER", 2, "Yemeni rial"
    ZAR = "ZAR", 2, "Rand"
    ZMW = "ZMW", 2, "Zambian kwacha"
    ZWG = "ZWG", 2, "Zimbabwe gold"


@dataclass(frozen=True, slots=True)
class Money:
    minor: int
    currency: CurrencyCode

    @property
    def amount(self) -> Decimal:
        return Decimal(self.minor).scaleb(-self.currency.digits)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"
