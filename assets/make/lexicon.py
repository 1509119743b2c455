"""Words of sentiment and the things that reviews are about. All of it is written for this project.

A trailing `+` or `-` in a name is the polarity. Lists are read by position: of each list the demo's
training split sees only the part that `seen` gives, so that validation and test also ask about words that
only the pretraining text has used.
"""


def words(text):
    return text.split()


def lines(text):
    return [line.strip() for line in text.strip().splitlines() if line.strip()]


def reserved(index):
    """Whether the word at `index` of a list is kept out of the demo's training split: every fourth."""
    return index % 4 == 3


ADJECTIVES = {
    "+": words("""good great excellent wonderful charming funny brilliant superb clever delightful lovely
        fantastic beautiful moving enjoyable amazing perfect fresh pleasant smart terrific warm impressive
        entertaining outstanding satisfying memorable fun gorgeous marvelous inspiring refreshing splendid
        exciting fabulous elegant engaging magnificent interesting remarkable awesome gripping stunning
        fascinating touching original thoughtful solid lively witty compelling captivating nice exceptional
        incredible delicate rewarding sweet admirable first-rate exquisite vivid heartfelt graceful
        breathtaking flawless phenomenal tasteful genuine convincing polished masterful likable stellar
        dazzling absorbing hilarious sublime inventive spectacular tender endearing joyful top-notch adorable
        relaxing unforgettable worthwhile skillful glorious cheerful authentic enchanting dreamy ideal
        praiseworthy generous superior uplifting affectionate pleasing magical divine powerful rich"""),
    "-": words("""bad terrible dull boring awful poor weak horrible disappointing annoying mediocre lame stupid
        bland stale clumsy dreadful tedious silly ugly forgettable cheap shallow lousy pathetic pointless
        unpleasant ridiculous flat sloppy confusing lazy frustrating irritating predictable tiresome messy
        useless miserable overrated lifeless painful cold rude depressing tired worthless gloomy nasty
        disgusting mindless appalling awkward hollow pretentious atrocious unbearable broken inferior
        laughable unconvincing generic dismal grim uninspired embarrassing bleak dirty soulless abysmal
        chaotic shoddy amateurish unfunny stiff tasteless grating forced cheesy vulgar hideous joyless
        unwatchable monotonous muddled inept offensive dreary substandard insulting crude repulsive sluggish
        vapid insufferable stodgy defective unusable flimsy careless incoherent trite"""),
}

NOUNS = {
    "+": words("""masterpiece gem delight triumph treat pleasure joy success winner marvel treasure wonder bargain
        highlight hit classic jewel dream blessing stunner"""),
    "-": words("""mess disaster disappointment waste failure bore letdown nightmare joke embarrassment flop
        fiasco insult torture rip-off shame chore dud catastrophe scam"""),
}

# Past and base forms, by position.
LIKED = {
    "+": words("loved enjoyed admired adored liked appreciated praised recommended cherished treasured"),
    "-": words("hated regretted disliked detested loathed despised resented criticized mocked dreaded"),
}
LIKE = {
    "+": words("love enjoy admire adore like appreciate praise recommend cherish treasure"),
    "-": words("hate regret dislike detest loathe despise resent criticize mock dread"),
}

COMPARATIVES = {
    "+": words("better funnier nicer smarter warmer finer lovelier fresher cleverer sweeter livelier stronger happier"),
    "-": words("worse duller weaker sillier uglier messier poorer sadder lazier clumsier blander ruder nastier"),
}

# States a person can be left in.
FEELINGS = {
    "+": words("happy delighted impressed pleased thrilled satisfied amazed moved grateful charmed excited smiling"),
    "-": words("disappointed angry annoyed bored frustrated upset unhappy disgusted furious irritated sad sick"),
}

VERDICTS = {
    "+": lines("""
        i would go back tomorrow
        i recommend it to everyone
        five stars from me
        i am already planning the next visit
        highly recommended
        do not miss it
        worth every penny
        we will be back
        i would buy it again
        it made my day
        two thumbs up
        my new favorite
        it is a must
        i am very happy with it
        money well spent
        you will not regret it
        best decision of the year
        i smiled all the way home
        i cannot stop telling my friends about it
        i want more of this
        just go
        it exceeded every expectation
        time well spent
        ten out of ten
        it won me over
        no complaints at all
    """),
    "-": lines("""
        i want my money back
        avoid it
        one star from me
        never again
        stay away
        do not bother
        save your money
        we will not be back
        i returned it the next day
        it ruined my day
        two thumbs down
        i would not wish it on anyone
        what a waste of time
        i left angry
        look elsewhere
        i asked for a refund
        money down the drain
        worst decision of the year
        i regretted it all the way home
        i am warning my friends about it
        skip this one
        it failed every expectation
        i will never get those hours back
        zero out of ten
        it lost me for good
        nothing but complaints from me
    """),
}

ADVERBS = words("""very really truly so quite rather absolutely simply just extremely incredibly utterly totally
    completely remarkably deeply genuinely thoroughly surprisingly pretty""")

PEOPLE = lines("""
    my wife
    my husband
    my sister
    my brother
    my mother
    my father
    my son
    my daughter
    my friend
    my neighbor
    my boss
    my cousin
    my grandmother
    my girlfriend
    my roommate
    my partner
    everyone
    the whole family
    our group
    the critic
""")


class Domain:
    def __init__(self, things, aspects, **fields):
        self.things = [tuple(pair.split("/")) for pair in words(things)]
        self.aspects = lines(aspects.replace(",", "\n"))
        self.fields = {}
        for key, value in fields.items():
            name, sign = key[:-1], {"p": "+", "n": "-"}[key[-1]]
            self.fields[name + sign] = words(value) if name == "adj" else lines(value)


# adj: adjectives of this domain. event: a whole clause in the past. do: what one did or had to do (infinitive).
# got: something one gets (noun phrase).
DOMAINS = {
    "film": Domain(
        "film/films movie/movies comedy/comedies thriller/thrillers drama/dramas documentary/documentaries sequel/sequels",
        "plot, acting, ending, dialogue, script, soundtrack, story, camera work, humor, direction, pacing, cast, opening, villain, romance, final scene",
        adjp="suspenseful hypnotic tense nuanced riveting well-acted atmospheric charismatic",
        adjn="wooden overlong cliched hackneyed contrived far-fetched melodramatic thin",
        eventp="""
            the audience clapped at the end
            nobody looked at a phone for two hours
            the last scene moved me to tears
            the jokes landed every time
            we talked about it all night
            i stayed until the very last credit
            two hours passed like ten minutes
            i bought a ticket for the next day
            the whole room laughed out loud
            i forgot the time
            it kept me on the edge of my seat
            the actors shine in every scene
        """,
        eventn="""
            half the audience walked out
            i checked my watch every five minutes
            the jokes fell flat
            i fell asleep before the end
            the twist was obvious after ten minutes
            the actors read their lines like a shopping list
            two hours felt like ten
            the plot went nowhere
            nobody in the room laughed
            i left before the end
            it put me to sleep
            the actors looked lost in every scene
        """,
        don="""
            sit through three hours of shouting
            watch two hours of nothing
            pay twenty dollars for a nap
            see the same joke nine times
            hear the hero explain the plot again
            stare at the ceiling for two hours
            count the empty seats
            listen to a speech in every scene
        """,
        dop="""
            laugh until my sides hurt
            see such actors at their best
            cry and laugh in the same scene
            discover a director like this
        """,
        gotp="""
            a story with a heart
            a cast full of life
            jokes that work
            an ending that stays with you
            two hours of pure fun
        """,
        gotn="""
            a story with holes
            a cast full of cardboard
            jokes without a punchline
            an ending that makes no sense
            two hours of noise
        """,
    ),
    "book": Domain(
        "book/books novel/novels biography/biographies story/stories cookbook/cookbooks poem/poems",
        "plot, prose, language, style, ending, hero, main character, first chapter, last chapter, writing, translation, mystery, narrator, index",
        adjp="poetic readable insightful well-written profound lyrical page-turning wise",
        adjn="wordy long-winded unreadable dry repetitive preachy overwritten rambling",
        eventp="""
            i read it in one night
            i could not put it down
            i gave copies to all my friends
            every page taught me something
            i missed my stop because of it
            i started again from page one
            it stayed with me for weeks
            the characters felt like old friends
            i finished it with a smile
            i underlined half of it
        """,
        eventn="""
            i gave up after fifty pages
            i skipped whole chapters
            it gathers dust under my bed
            every page repeated the last one
            i used it to level a table
            i fell asleep after each paragraph
            i forgot it within an hour
            the characters talk like robots
            i finished it out of spite
            i gave my copy away
        """,
        don="""
            read the same sentence in every chapter
            fight through nine hundred pages
            learn nothing from four hundred pages
            find a spelling mistake on each page
            guess the murderer on page two
            wade through endless footnotes
        """,
        dop="""
            stay up all night with these characters
            find a voice like this
            read a page twice for its music
            live in this world for a week
        """,
        gotp="""
            a hero you root for
            sentences that sing
            a mystery that holds until the end
            wisdom on every page
        """,
        gotn="""
            a hero nobody cares about
            sentences without an end
            a mystery that a child could solve
            typos on every page
        """,
    ),
    "restaurant": Domain(
        "restaurant/restaurants cafe/cafes bakery/bakeries diner/diners bar/bars pizzeria/pizzerias",
        "food, soup, service, dessert, coffee, menu, bread, pasta, wine, atmosphere, steak, fish, salad, breakfast, music, sauce, waiter",
        adjp="delicious tasty crispy juicy flavorful mouthwatering attentive cozy",
        adjn="greasy burnt overcooked soggy salty undercooked overpriced lukewarm",
        eventp="""
            the waiter remembered our names
            we licked our plates clean
            we stayed until midnight
            the chef came out to greet us
            everything came hot and on time
            the bread melted in my mouth
            they found us a table at once
            i asked for the recipe
            we ordered a second round
            the kids emptied their plates
        """,
        eventn="""
            the waiter ignored us for an hour
            we left our plates half full
            we left before dessert
            the chef shouted at a guest
            everything came cold and late
            the bread was hard as stone
            they lost our reservation twice
            i found a hair in my soup
            the bill was wrong again
            i was ill the next day
        """,
        don="""
            wait an hour for cold soup
            pay fifty dollars for a leaf of salad
            eat with a fly on the plate
            sit next to the toilet
            chew on burnt rubber
            beg for a glass of water
            share a table with a trash can
        """,
        dop="""
            eat like a king for ten dollars
            taste bread fresh from the oven
            be greeted like an old friend
            end the day with that dessert
        """,
        gotp="""
            fresh bread with every course
            large portions and fair prices
            a table with a view of the river
            waiters who smile
        """,
        gotn="""
            cold fries and warm beer
            tiny portions and huge prices
            a table next to the bins
            waiters who yawn
        """,
    ),
    "hotel": Domain(
        "hotel/hotels hostel/hostels resort/resorts apartment/apartments campsite/campsites inn/inns",
        "room, bed, breakfast, pool, staff, view, bathroom, lobby, location, beach, garden, shower, wifi, balcony, reception, pillow",
        adjp="clean spotless quiet comfortable spacious cozy sunny peaceful friendly",
        adjn="noisy filthy smelly cramped moldy unfriendly run-down damp dusty",
        eventp="""
            they gave us a free upgrade
            i slept like a baby
            we extended our stay
            the staff carried our bags
            breakfast had everything we wanted
            we woke up to the sound of the sea
            the towels were changed every day
            the owner gave us a map and cookies
            we booked again for next summer
        """,
        eventn="""
            they gave our room to someone else
            i did not sleep at all
            we checked out a day early
            the staff lost our bags
            breakfast was gone at eight
            we woke up to the sound of drills
            the towels were never changed
            there were bugs in the bed
            the heating broke on the first night
        """,
        don="""
            share the room with cockroaches
            take a cold shower in winter
            listen to trucks all night
            find hair on the pillow
            climb nine floors with two suitcases
            wait two hours for a key
        """,
        dop="""
            wake up to that view
            swim before breakfast
            fall asleep to the sound of waves
            be welcomed with fresh juice
        """,
        gotp="""
            a room with a view of the sea
            clean sheets every morning
            a bed like a cloud
            staff who think of everything
        """,
        gotn="""
            a room without a window
            stains on the sheets
            a bed like a board
            staff who shrug
        """,
    ),
    "gadget": Domain(
        "phone/phones laptop/laptops camera/cameras tablet/tablets watch/watches speaker/speakers printer/printers vacuum/vacuums",
        "screen, battery, sound, keyboard, design, manual, charger, case, picture, button, display, microphone, build quality, cable, lens, software",
        adjp="fast reliable sturdy handy durable sharp precise responsive lightweight",
        adjn="slow unreliable fragile bulky buggy blurry faulty unresponsive noisy",
        eventp="""
            it worked right out of the box
            the battery lasts for days
            it survived a fall down the stairs
            it paid for itself in a month
            support answered within minutes
            setup took two minutes
            it still runs like new
            i bought a second one for my parents
            it does all that it promises
        """,
        eventn="""
            it broke after a week
            the battery dies after an hour
            the screen cracked on the first day
            it overheats within minutes
            support never answered
            setup took a whole weekend
            it stopped working in march
            i sent it back twice
            it does nothing that it promises
        """,
        don="""
            restart it nine times a day
            charge it every hour
            wait three weeks for a spare part
            read a manual in broken english
            pay extra for a cable
            talk to a machine for an hour
        """,
        dop="""
            forget the charger for a week
            hear every note of the bass
            hold something so well made
            throw my old one away
        """,
        gotp="""
            a battery that never quits
            pictures as sharp as a knife
            a keyboard that feels right
            support that helps
        """,
        gotn="""
            a battery that never lasts
            pictures full of noise
            a keyboard that sticks
            support that hangs up
        """,
    ),
    "app": Domain(
        "app/apps game/games website/websites program/programs update/updates browser/browsers",
        "interface, design, search, menu, graphics, tutorial, layout, story mode, controls page, login, dark mode, sync, export, level design",
        adjp="intuitive smooth addictive seamless snappy user-friendly well-designed",
        adjn="laggy cluttered glitchy intrusive clunky unstable bloated",
        eventp="""
            it saves me an hour every day
            i have not seen a single bug
            it never crashed once
            the developers fixed my problem overnight
            it understood what i wanted
            i deleted all the others
            my kids learned it in a minute
            it starts in a second
        """,
        eventn="""
            it crashes every time
            it ate my photos
            it shows ads after each tap
            the developers ignore every report
            it logged me out again
            i deleted it after a day
            my work vanished without warning
            it takes forever to start
        """,
        don="""
            watch an ad before each level
            type my password ten times
            lose a day of work
            wait for another update
            click through nine menus
            pay to remove a bug
        """,
        dop="""
            find everything in one place
            play for hours with my kids
            finish my work before noon
            never worry about backups again
        """,
        gotp="""
            updates that improve things
            menus that make sense
            a game without ads
            maps that are always right
        """,
        gotn="""
            updates that break things
            menus that make no sense
            ads without end
            maps that are always wrong
        """,
    ),
    "shop": Domain(
        "shop/shops store/stores market/markets garage/garages salon/salons bank/banks gym/gyms clinic/clinics",
        "service, staff, delivery, advice, packaging, selection, price, quality, parking, manager, cashier, haircut, checkout, equipment, hotline, refund policy",
        adjp="helpful friendly polite honest professional prompt affordable fair patient knowledgeable",
        adjn="unhelpful unfriendly dishonest incompetent impolite overpriced unprofessional arrogant indifferent",
        eventp="""
            the parcel came a day early
            they repaired it for free
            they refunded me at once
            the owner took time for every question
            they wrapped it as a gift
            i found all that i needed
            they called me back within the hour
            i was in and out in five minutes
        """,
        eventn="""
            the parcel never arrived
            they charged me twice
            they refused a refund
            the owner rolled her eyes at every question
            they sent the wrong size
            i found nothing that i needed
            they hung up on me
            i stood in line for an hour
        """,
        don="""
            stand in line for an hour
            explain my problem to six people
            pay for a parcel that never came
            be told to come back next month
            hear the same music on hold all day
            pick up broken glass from the box
        """,
        dop="""
            be treated like a person
            get honest advice for once
            find the right size at once
            save half the price
        """,
        gotp="""
            honest advice
            fair prices and a smile
            a full refund without questions
            fast delivery
        """,
        gotn="""
            empty promises
            high prices and a shrug
            a box of broken glass
            the wrong size twice
        """,
    ),
    "show": Domain(
        "concert/concerts musical/musicals play/plays exhibition/exhibitions festival/festivals album/albums circus/circuses",
        "music, singer, stage, sound, band, light show, choir, orchestra, seat, voice, encore, crowd, costume design, lead actor, opening act",
        adjp="electrifying energetic catchy harmonious melodic virtuosic soulful",
        adjn="deafening off-key crowded shrill tuneless under-rehearsed overcrowded",
        eventp="""
            the crowd sang every word
            they played three encores
            i got goose bumps twice
            we danced until the lights went on
            the hall rose to its feet
            i listened to it all summer
            the singer came down to the crowd
            my feet would not keep still
        """,
        eventn="""
            the crowd booed
            they stopped after forty minutes
            i covered my ears twice
            we went home at the break
            the hall was half empty by ten
            the singer forgot the words
            the band came on two hours late
            the microphone failed again
        """,
        don="""
            stand behind a pillar all night
            queue for an hour in the rain
            hear the hits out of tune
            pay twelve dollars for warm beer
            see nothing but phones
            lose my hearing for a week
        """,
        dop="""
            sing along with ten thousand people
            stand in the first row
            hear that voice live
            dance with strangers
        """,
        gotp="""
            music that makes you dance
            a voice like honey
            a crowd in love
            songs you hum for days
        """,
        gotn="""
            music that makes you flee
            a voice like a saw
            a crowd full of elbows
            songs you want to forget
        """,
    ),
    "trip": Domain(
        "tour/tours trip/trips cruise/cruises flight/flights museum/museums park/parks zoo/zoos city/cities",
        "guide, view, bus, weather, food, crew, museum, boat, beach, route, seat, boarding, train, walk, cabin, landscape",
        adjp="scenic picturesque tranquil adventurous relaxed well-organized hospitable",
        adjn="crowded touristy delayed dangerous disorganized hectic exhausting",
        eventp="""
            the guide knew a story for every stone
            we saw dolphins from the boat
            everything went like clockwork
            we landed half an hour early
            the crew sang for my birthday
            the sun came out for us
            i filled a whole album with pictures
            we made friends for life
        """,
        eventn="""
            the guide read from his phone
            we saw fog and a gift shop
            everything that could go wrong did
            we landed five hours late
            the crew lost my suitcase
            the bus broke down twice
            half of the sights were closed
            we waited in the heat for hours
        """,
        don="""
            sleep on the airport floor
            sit next to a screaming engine for nine hours
            be dragged through four gift shops
            walk for miles in the rain
            lose my suitcase again
            see the sea from a parking lot
        """,
        dop="""
            watch the sun rise over the bay
            hear the old stories of the harbor
            float above the clouds
            meet people like these
        """,
        gotp="""
            a guide with a sense of humor
            sunsets like a painting
            seats with room for my legs
            a day full of wonders
        """,
        gotn="""
            a guide with no idea
            crowds like an ant hill
            seats made for dolls
            a day full of queues
        """,
    ),
    "course": Domain(
        "course/courses class/classes lecture/lectures workshop/workshops seminar/seminars podcast/podcasts lesson/lessons",
        "teacher, content, homework, speaker, pace, material, exam, topic, first unit, video quality, explanation, group work, feedback, example",
        adjp="clear informative practical motivating instructive well-structured useful encouraging",
        adjn="unclear outdated unprepared superficial dry disorganized impractical rushed",
        eventp="""
            i learned more than in a year of school
            the teacher answered every question
            i used it at work the next day
            i passed the exam with ease
            an hour flew by
            the whole class stayed longer
            my english got better every week
            i finally understood fractions
        """,
        eventn="""
            i learned nothing at all
            the teacher read from the slides
            i never used any of it
            i failed the exam because of it
            an hour crawled by
            half of the class dropped out
            nobody corrected our homework
            i understood less than before
        """,
        don="""
            pay for a teacher who reads slides aloud
            hear an hour about his vacation
            copy from the board for three hours
            wait six weeks for a grade
            fill out forms in place of learning
            listen to a broken microphone
        """,
        dop="""
            finally understand statistics
            ask anything without fear
            learn from someone who loves the topic
            speak from the first day
        """,
        gotp="""
            exercises that make you think
            answers to every question
            a teacher with patience
            examples from real life
        """,
        gotn="""
            exercises full of mistakes
            slides from the last century
            a teacher without patience
            homework without feedback
        """,
    ),
}
